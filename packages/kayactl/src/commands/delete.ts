import { parseBytes } from "../bytes.js";
import { ExitCode, type Register } from "../context.js";
import { withEngine } from "../with-engine.js";
import { printWrite } from "./write-result.js";

export const registerDelete: Register = (program, execute) => {
  program
    .command("delete")
    .aliases(["del", "rm"])
    .summary("remove a key")
    .description("Remove KEY and its value. A key that is not there is no error.")
    .argument("<KEY>")
    .option("--key-hex", "KEY is given in hex")
    .action((key: string, options: { keyHex?: boolean }, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const keyBytes = parseBytes(key, "KEY", options.keyHex === true);
        const { durability } = context.options;
        await printWrite(
          context,
          await withEngine(context, (engine) => engine.delete(keyBytes, { durability })),
        );
        return ExitCode.Ok;
      }),
    );
};
