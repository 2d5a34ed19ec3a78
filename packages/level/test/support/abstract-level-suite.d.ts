// abstract-level publishes its suite without types.
declare module "abstract-level/test/index.js" {
  import type { TestCase } from "tape";

  export default function suite(options: {
    factory(options?: object): object;
    test(name: string, body: TestCase): void;
  }): void;
}
