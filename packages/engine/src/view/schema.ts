import { describe, KayaError } from "@kaya/core";
import { invalid } from "../input.js";
import { isPromise } from "../update.js";

/**
 * A schema by any library of the Standard Schema specification (standardschema.dev): zod, valibot, arktype and
 * others. It takes `Input` and gives `Output`.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** The property that the specification asks for. */
  readonly "~standard": {
    /** The version of the specification: 1. */
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    /** Checks a value, and may change it. A view refuses a schema that answers with a promise. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** The types of the schema, for the compiler; absent at run time. */
    readonly types?:
      | {
          /** The type that the schema takes. */
          readonly input: Input;
          /** The type that the schema gives. */
          readonly output: Output;
        }
      | undefined;
  };
}

/** The answer of a schema: the value, or the issues that it has with it. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** One thing that is wrong with a value. */
export interface SchemaIssue {
  /** The issue in words. */
  readonly message: string;
  /** The properties and indexes that lead to the wrong part of the value. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The type that a schema takes. */
export type InputOf<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["input"];
/** The type that a schema gives. */
export type OutputOf<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["output"];

const MOST_SHOWN = 10;

/** @throws KayaError KAYA_INVALID_ARGUMENT for what is no schema */
export function checkSchema(schema: unknown): void {
  const standard = (schema as Partial<StandardSchema> | null | undefined)?.["~standard"];
  if (typeof standard?.validate === "function" && standard.version === 1) return;
  throw invalid(
    `the schema of a view must be of a library with Standard Schema, version 1 (zod, valibot, arktype), not ${describe(schema)}`,
  );
}

/**
 * What the schema makes of a value.
 * @throws KayaError KAYA_INVALID_ARGUMENT that says where the value is wrong; its `cause` is the array of the schema's issues
 */
export function checked<Output>(schema: StandardSchema<unknown, Output>, value: unknown): Output {
  const { validate, vendor } = schema["~standard"];
  const result = validate(value);
  if (isPromise(result)) {
    result.then(undefined, () => undefined); // it is told below
    throw invalid(
      `the schema (${vendor}) answers with a promise, and a view needs an answer at once, because writes keep the order of their calls: ` +
        "check the value with the schema before you write it",
    );
  }
  if (result.issues === undefined) return result.value;
  const { issues } = result;
  throw new KayaError("KAYA_INVALID_ARGUMENT", `the schema (${vendor}) refuses it: ${shown(issues)}`, {
    cause: issues,
  });
}

function shown(issues: readonly SchemaIssue[]): string {
  const texts = issues.slice(0, MOST_SHOWN).map(({ message, path }) => `${place(path)}${message}`);
  if (issues.length > MOST_SHOWN) texts.push(`and ${issues.length - MOST_SHOWN} more`);
  return texts.join("; ");
}

function place(path: SchemaIssue["path"]): string {
  if (path === undefined || path.length === 0) return "";
  return `${path.map((segment) => String(typeof segment === "object" ? segment.key : segment)).join(".")}: `;
}
