/**
 * What a caller may send, as TypeBox schemas. Each parameter and each field of a body carries its type and range, and what people are told of it;
 * registry, OpenAPI, the check of a request and the types that a handler sees are read off the one schema.
 */
import {
  OptionalKind,
  type Static,
  type TObject,
  type TOptional,
  type TProperties,
  type TSchema,
  type TUnsafe,
  Type,
} from '@sinclair/typebox';

/** The same words in English and Chinese. */
export interface Bilingual {
  readonly en: string;
  readonly zh: string;
}

export type Language = keyof Bilingual;
export type ParameterValue = string | number | boolean;
export type Place = 'path' | 'query' | 'header';

/** A parameter as its member of the schema declares it. */
export interface Parameter {
  readonly name: string;
  readonly in: Place;
  readonly required: boolean;
  /** Type and range alone. */
  readonly schema: TSchema;
  /** Of every optional parameter: what leaving it out acts as; null means "as if the condition did not exist". */
  readonly default?: ParameterValue | null;
  readonly example: ParameterValue;
  readonly description: Bilingual;
}

/** Values of a set of parameters or fields, as a handler sees them: defaults filled in. */
export type ValuesOf<P extends TProperties> = Static<TObject<P>>;

/** Those of `values` that belong to `properties`, whose members have no default: what was given. */
export function givenOf<P extends TProperties>(values: ValuesOf<P>, properties: P): ValuesOf<P> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => name in properties)) as ValuesOf<P>;
}

/** A field of a JSON body. @param fallback what stands for a field that is left out; without one it is required */
export function field<T extends TSchema>(schema: T, example: unknown, description: Bilingual, fallback?: unknown): T {
  return {
    ...schema,
    description: description.en,
    'x-description-zh': description.zh,
    examples: [example],
    ...(fallback === undefined ? {} : { default: fallback }),
  };
}

export function inPath<T extends TSchema>(schema: T, example: Static<T>, description: Bilingual): T {
  return { ...field(schema, example, description), in: 'path' };
}

/** `default` is what leaving it out acts as; null: as if the condition did not exist; without one the parameter is required. */
export function inQuery<T extends TSchema>(schema: T, values: { default: null; example: Static<T> }, description: Bilingual): TOptional<T>;
export function inQuery<T extends TSchema>(schema: T, values: { default?: Static<T>; example: Static<T> }, description: Bilingual): T;
export function inQuery(
  schema: TSchema,
  { default: fallback, example }: { default?: unknown; example: unknown },
  description: Bilingual,
): TSchema {
  const member = { ...field(schema, example, description, fallback ?? undefined), in: 'query' };
  return fallback === null ? Type.Optional(member) : member;
}

/** Headers are optional. Their names are lower case. */
export function inHeader<T extends TSchema>(schema: T, example: Static<T>, description: Bilingual): TOptional<T> {
  return Type.Optional({ ...field(schema, example, description), in: 'header' } as T) as TOptional<T>;
}

/** One text of a few. */
export function choiceOf<const T extends readonly string[]>(...values: T): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ type: 'string', enum: values });
}

export function strictObject<T extends TProperties>(properties: T): TObject<T> {
  return Type.Object(properties, { additionalProperties: false });
}

/** The parameters of a schema, in its order. */
export function parametersOf(properties: TProperties): readonly Parameter[] {
  return Object.entries(properties).map(([name, member]) => {
    const { in: place, description, 'x-description-zh': zh, examples, default: fallback, ...schema } = member;
    const optional = OptionalKind in member;
    return {
      name,
      in: place as Place,
      required: !optional && fallback === undefined,
      schema: { type: schema.type, ...schema } as TSchema,
      ...(optional ? { default: null } : fallback === undefined ? {} : { default: fallback as ParameterValue }),
      example: (examples as readonly ParameterValue[] | undefined)?.[0] as ParameterValue,
      description: { en: description as string, zh: zh as string },
    };
  });
}

const OPEN_RANGES: Readonly<Record<string, string>> = {
  boolean: 'true | false',
  array: 'list of any JSON values',
  object: 'object of any JSON values',
  null: 'null',
};

/** The types of a member that takes one of several. */
export function alternatives(member: TSchema): readonly TSchema[] {
  return (member.anyOf as readonly TSchema[] | undefined) ?? [member];
}

/** The range in one line, for the registry and for messages; '' when the schema has none. */
export function rangeText(schema: TSchema): string {
  if (Array.isArray(schema.enum)) return schema.enum.join(' | ');
  switch (schema.type) {
    case 'integer':
      return Number.isSafeInteger(schema.minimum) && Number.isSafeInteger(schema.maximum)
        ? `integer ${schema.minimum}..${schema.maximum}`
        : '';
    case 'string': {
      const range = `text, ${schema.minLength ?? 0}..${schema.maxLength ?? 'bytesMax'} characters`;
      return schema.pattern === undefined ? range : `${range}, ${schema.pattern}`;
    }
    default:
      return OPEN_RANGES[schema.type as string] ?? '';
  }
}

/** Whether both ends of the range are stated: of a parameter they have to be. */
export function isBounded(schema: TSchema): boolean {
  return rangeText(schema) !== '' && (schema.type !== 'string' || Array.isArray(schema.enum) || Number.isSafeInteger(schema.maxLength));
}

/** Whether a parameter's value is inside its range. Bodies, which may be of any shape, are judged by Ajv (body.ts). */
export function isInside(schema: TSchema, value: unknown): boolean {
  if (Array.isArray(schema.enum)) return schema.enum.includes(value);
  switch (schema.type) {
    case 'integer':
      return typeof value === 'number' && Number.isSafeInteger(value) && value >= schema.minimum && value <= schema.maximum;
    case 'boolean':
      return typeof value === 'boolean';
    case 'string':
      if (typeof value !== 'string' || value.length < (schema.minLength ?? 0) || value.length > schema.maxLength) return false;
      return schema.pattern === undefined || patternOf(schema.pattern).test(value);
    default:
      return false;
  }
}

const patterns = new Map<string, RegExp>();

function patternOf(text: string): RegExp {
  const pattern = patterns.get(text) ?? new RegExp(text, 'u');
  patterns.set(text, pattern);
  return pattern;
}
