/** Reading what a caller sent against what a route declares: all faults at once, with "did you mean" for a wrong name. */
import type { IncomingHttpHeaders } from 'node:http';
import { canonicalJson, type JsonObject } from '../../node/format/index.ts';
import type { Detail } from './refusal.ts';
import type { CombinationLimit, Route } from './route.ts';
import { type Bilingual, isInside, type Language, type Parameter, type ParameterValue, rangeText } from './schema.ts';

/** Unknown names of one request that get a suggestion. */
export const SUGGESTIONS_MAX = 50;
const NAME_CHARACTERS_SHOWN = 64; // of a name that is no parameter's
export const ENCODING_WORDS: Bilingual = { en: 'its percent-encoding is broken or not UTF-8', zh: '百分号编码有误或不是 UTF-8' };

export interface ReadParameters {
  /** Parsed values of everything that was given. */
  readonly given: Readonly<Record<string, ParameterValue>>;
  /** The same with defaults filled in. */
  readonly values: Readonly<Record<string, ParameterValue>>;
  readonly details: readonly Detail[];
  /** What was given, as the exchange log may see it: canonical JSON without headers and the stated digest, which covers sealed fields in clear. */
  readonly logged: string;
}

export interface RawParameters {
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Parameters of the query whose percent-encoding cannot be read. */
  readonly unreadable: readonly string[];
  readonly headers: IncomingHttpHeaders;
}

interface Names {
  /** Of the query. */
  readonly query: ReadonlySet<string>;
  readonly headers: ReadonlySet<string>;
  readonly hasPath: boolean;
}
const namesOf = new WeakMap<Route, Names>();

function declaredNames(declared: Route): Names {
  let names = namesOf.get(declared);
  if (names === undefined) {
    const inPlace = (place: Parameter['in']): string[] => declared.parameters.filter((each) => each.in === place).map(({ name }) => name);
    names = { query: new Set(inPlace('query')), headers: new Set(inPlace('header')), hasPath: inPlace('path').length > 0 };
    namesOf.set(declared, names);
  }
  return names;
}

/** Readings of queries that came before (percent.ts keeps those), where nothing else was given: most callers send the same with every call. */
const readings = new WeakMap<URLSearchParams, { readonly route: Route; readonly reading: ReadParameters }>();

export function readParameters(declared: Route, raw: RawParameters, language: Language): ReadParameters {
  const names = declaredNames(declared);
  const byQueryAlone = !names.hasPath && !isGiven(names.headers, raw.headers);
  const known = byQueryAlone ? readings.get(raw.query) : undefined;
  if (known?.route === declared) return known.reading;
  const reading = readAnew(declared, names, raw, language);
  if (byQueryAlone && reading.details.length === 0) readings.set(raw.query, { route: declared, reading });
  return reading;
}

function isGiven(names: ReadonlySet<string>, headers: IncomingHttpHeaders): boolean {
  for (const name of names) if (headers[name] !== undefined) return true;
  return false;
}

function readAnew(declared: Route, { query }: Names, raw: RawParameters, language: Language): ReadParameters {
  const given: Record<string, ParameterValue> = Object.create(null);
  const values: Record<string, ParameterValue> = Object.create(null);
  const details: Detail[] = [];
  const refuse = (code: string, parameter: string, words: Bilingual): void => {
    details.push({ code, parameter, message: `${parameter}: ${words[language]}` });
  };
  const names = [...query];
  const unknown = [...new Set(raw.query.keys())].filter((name) => !query.has(name));

  for (const name of new Set(raw.unreadable)) refuse('PARAMETER_ENCODING', name.slice(0, NAME_CHARACTERS_SHOWN), ENCODING_WORDS);
  for (const [index, name] of unknown.entries()) {
    const near = index < SUGGESTIONS_MAX ? nearest(name, names) : undefined;
    refuse('PARAMETER_UNKNOWN', name.slice(0, NAME_CHARACTERS_SHOWN), {
      en: `no such parameter${near === undefined ? '' : `; did you mean ${near}?`}`,
      zh: `没有该参数${near === undefined ? '' : `，是否应为 ${near}？`}`,
    });
  }
  for (const parameter of declared.parameters) {
    if (parameter.default !== undefined && parameter.default !== null) values[parameter.name] = parameter.default;
    const texts = sources(parameter, raw);
    if (texts.length === 0) {
      if (parameter.required && !raw.unreadable.includes(parameter.name))
        refuse('PARAMETER_MISSING', parameter.name, { en: 'is required', zh: '为必填项' });
      continue;
    }
    if (texts.length > 1) {
      refuse('PARAMETER_REPEATED', parameter.name, { en: 'stands more than once', zh: '重复出现' });
      continue;
    }
    const value = parse(parameter, texts[0]!);
    const fault = valueFault(parameter, value);
    if (fault !== undefined) refuse('PARAMETER_INVALID', parameter.name, fault);
    else given[parameter.name] = values[parameter.name] = value;
  }
  for (const limit of declared.limits ?? []) {
    if (broken(limit, given))
      details.push({ code: 'PARAMETER_COMBINATION', parameter: limit.names.join(', '), message: limit.text[language] });
  }
  return { given, values, details, logged: canonicalJson(withoutDigest(withoutHeaders(declared, given))) };
}

/** What was given in path and query. */
export function withoutHeaders(declared: Route, given: Readonly<Record<string, ParameterValue>>): JsonObject {
  const { headers } = declaredNames(declared);
  return Object.fromEntries(Object.entries(given).filter(([name]) => !headers.has(name)));
}

function withoutDigest({ digest: _digest, ...others }: JsonObject): JsonObject {
  return others;
}

function sources(parameter: Parameter, raw: RawParameters): readonly string[] {
  switch (parameter.in) {
    case 'path': {
      const value = raw.path[parameter.name];
      return value === undefined ? [] : [value];
    }
    case 'query':
      return raw.query.getAll(parameter.name);
    case 'header': {
      const value = raw.headers[parameter.name];
      return value === undefined ? [] : Array.isArray(value) ? value : [value];
    }
  }
}

function parse({ schema }: Parameter, text: string): ParameterValue {
  if (schema.type === 'integer' && /^-?[0-9]{1,16}$/.test(text)) return Number(text);
  if (schema.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function valueFault({ schema }: Parameter, value: ParameterValue): Bilingual | undefined {
  if (typeof value === 'string' && schema.type === 'string' && schema.enum === undefined && value.includes('\0'))
    return { en: 'holds the character U+0000', zh: '含有字符 U+0000' }; // no stored text does, and keys end with it
  if (isInside(schema, value)) return undefined;
  const range = rangeText(schema);
  return { en: `expected ${range}`, zh: `应为 ${range}` };
}

function broken(limit: CombinationLimit, given: Readonly<Record<string, unknown>>): boolean {
  const count = limit.names.filter((name) => given[name] !== undefined).length;
  switch (limit.rule) {
    case 'atMostOne':
      return count > 1;
    case 'atLeastOne':
      return count < 1;
    case 'exactlyOne':
      return count !== 1;
    case 'together':
      return count !== 0 && count !== limit.names.length;
    case 'needs':
      return given[limit.names[0] ?? ''] !== undefined && count !== limit.names.length;
  }
}

/** The known name within two edits, if any. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 64) return undefined;
  let best: string | undefined;
  let bestDistance = 3;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
