/** One row of the error table. Codes are API: never renamed, never reused; each area's file lists its own. */
export interface ErrorRow {
  readonly kind:
    | 'invalid'
    | 'unauthenticated'
    | 'forbidden'
    | 'missing'
    | 'conflict'
    | 'tooLarge'
    | 'limited'
    | 'busy'
    | 'timeout'
    | 'damaged'
    | 'internal'
    | 'unsupported';
  readonly httpStatus: number;
  readonly text: { readonly en: string; readonly zh: string };
  readonly remedy: { readonly en: string; readonly zh: string };
}
export type ErrorRows = Readonly<Record<string, ErrorRow>>;
