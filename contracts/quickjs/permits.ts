/**
 * What a contract may see: an allow-list. Every global and every listed member that is not here is deleted before the contract's code is
 * loaded, so a feature that a later engine adds stays out until it is let in. Part of the bundle digest.
 *
 * Absent on purpose: clocks and randomness, promises and everything asynchronous, proxies, binary arrays (they show the bits of a NaN,
 * which machines choose differently), weak references (they show the collector), and every way from text to code.
 */

/** Global name -> members that stay; `*` keeps all of them. */
export const permittedGlobals: Readonly<Record<string, '*' | readonly string[]>> = {
  // Values
  globalThis: '*',
  undefined: '*',
  NaN: '*',
  Infinity: '*',
  // Structure
  Object: '*',
  Array: ['from', 'of', 'isArray', 'prototype', 'length', 'name'],
  Map: '*',
  Set: '*',
  WeakMap: '*',
  WeakSet: '*',
  Symbol: '*',
  Iterator: '*',
  Reflect: '*',
  JSON: ['parse', 'stringify'],
  // Scalars
  Boolean: '*',
  Number: '*',
  BigInt: '*',
  String: ['fromCharCode', 'fromCodePoint', 'raw', 'prototype', 'length', 'name'],
  RegExp: '*',
  parseInt: '*',
  parseFloat: '*',
  isNaN: '*',
  isFinite: '*',
  Math: [
    ...['E', 'LN10', 'LN2', 'LOG10E', 'LOG2E', 'PI', 'SQRT1_2', 'SQRT2'],
    ...['abs', 'ceil', 'clz32', 'floor', 'imul', 'max', 'min', 'round', 'sign', 'trunc'],
    ...['cbrt', 'exp', 'expm1', 'hypot', 'log', 'log10', 'log1p', 'log2', 'pow', 'sqrt', 'fround'],
    ...['acos', 'acosh', 'asin', 'asinh', 'atan', 'atan2', 'atanh', 'cos', 'cosh', 'sin', 'sinh', 'tan', 'tanh'],
  ],
  // Text
  encodeURIComponent: '*',
  decodeURIComponent: '*',
  encodeURI: '*',
  decodeURI: '*',
  // Failures
  Error: '*',
  TypeError: '*',
  RangeError: '*',
  SyntaxError: '*',
  ReferenceError: '*',
  EvalError: '*',
  URIError: '*',
  InternalError: '*',
  AggregateError: '*',
};

/** Parts of the engine that are built into a new context, as bits of QTS_NewContext; all others are never created. */
export const INTRINSICS = {
  baseObjects: 1 << 0,
  /** Needed to load code; every way to it is closed by the prelude. */
  codeLoading: 1 << 2,
  regularExpressions: 1 << 4,
  regularExpressionCompiler: 1 << 5,
  json: 1 << 6,
  mapAndSet: 1 << 8,
  bigInt: 1 << 11,
} as const;

export const intrinsicsMask: number = Object.values(INTRINSICS).reduce((mask, bit) => mask | bit, 0);
