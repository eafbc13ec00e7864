/** The interface registry as a caller sees it, and a check of its rows that knows nothing of the code behind them. */
import type { ProbeContext } from './context.ts';

export interface RegisteredParameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly type: string;
  readonly range: string;
  readonly default: unknown;
  readonly example: unknown;
  readonly [name: string]: unknown;
}

export interface Registered {
  readonly operationId: string;
  readonly method: string;
  readonly url: string;
  readonly layer: string;
  readonly timeoutMs: number;
  readonly rateLimit: { readonly count: number; readonly perMs: number } | 'none';
  readonly parameters: readonly RegisteredParameter[];
  readonly answers: { readonly outsideEnvelope: readonly string[] };
  readonly errors: readonly { readonly code: string; readonly httpStatus: number; readonly text: Bilingual; readonly remedy: Bilingual }[];
}

export interface Bilingual {
  readonly en: string;
  readonly zh: string;
}

export async function registry(context: ProbeContext): Promise<readonly Registered[]> {
  return (await context.get(context.actor.node, 'interfaces')).items;
}

export async function registered(context: ProbeContext, operationId: string): Promise<Registered> {
  const { items } = await context.get(context.actor.node, 'interfaces', { operationId });
  if (items.length !== 1) throw new Error(`The registry has ${items.length} rows for ${operationId}`);
  return items[0];
}

/** What a parameter's row lacks of name, whether required, type, range and example. */
export function lacking(parameter: Readonly<Record<string, unknown>>): readonly string[] {
  const said = (value: unknown) => value !== undefined && value !== null && value !== '';
  const missing = ['name', 'type', 'range', 'example'].filter((part) => !said(parameter[part]));
  return typeof parameter.required === 'boolean' ? missing : [...missing, 'required'];
}
