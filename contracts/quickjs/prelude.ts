/**
 * The script that runs inside the engine before any contract: it deletes what permits.ts does not list, offers `contract(...)` to the
 * contract's code, and returns the one function through which the host enters. It runs once, into the base image.
 *
 * Values cross the border as JSON. An integer too large for JSON is written `{"$int":"<decimal>"}` and is a BigInt inside.
 * Answers start with `=` (the result follows) or `!` (the failure follows, as JSON). Part of the bundle digest.
 */
import { JSON_DEPTH_MAX } from '../../node/format/index.ts';
import { permittedGlobals } from './permits.ts';

/** First argument of every host call. */
export const HOST_OP = { get: 1, put: 2, delete: 3, emit: 4, call: 5 } as const;
/** First argument of an entry. */
export const ENTRY = { describe: 'describe', method: 'method', query: 'query', fault: 'fault' } as const;
/** Stands before the reason in place of JSON when a value has no form that reads back as the same value. */
export const FLAW_SIGN = '#';
/** File name of the contract in its stack traces. */
export const CONTRACT_FILE = 'contract.js';
export const PRELUDE_FILE = 'prelude';

const body = String.raw`
(function (host) {
  'use strict';
  const ownKeys = Reflect.ownKeys, getOwn = Object.getOwnPropertyDescriptor, protoOf = Object.getPrototypeOf;
  const freeze = Object.freeze, hasOwn = Object.hasOwn, isArray = Array.isArray, keysOf = Object.keys;
  const parse = JSON.parse, stringify = JSON.stringify, toBigInt = BigInt, toText = String;
  const plainFunction = Function.prototype, plainObject = Object.prototype;
  const nameRule = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
  const integerRule = /^(?:0|-?[1-9][0-9]*)$/;
  const test = plainFunction.call.bind(RegExp.prototype.test);
  const includes = plainFunction.call.bind(String.prototype.includes);
  const indexOf = plainFunction.call.bind(String.prototype.indexOf);
  const slice = plainFunction.call.bind(String.prototype.slice);
  const apply = Reflect.apply;

  // Every road from text to code is the constructor of some kind of function.
  for (const made of [function () {}, function* () {}, async function () {}, async function* () {}]) {
    const proto = protoOf(made);
    if (proto !== null && hasOwn(proto, 'constructor')) delete proto.constructor;
  }
  for (const key of ownKeys(globalThis)) {
    const permit = typeof key === 'string' && hasOwn(PERMITS, key) ? PERMITS[key] : undefined;
    if (permit === undefined) { delete globalThis[key]; continue; }
    if (permit === '*') continue;
    const holder = globalThis[key];
    for (const member of ownKeys(holder)) {
      if (typeof member === 'string' && !permit.includes(member)) delete holder[member];
    }
  }
  Object.defineProperty(BigInt.prototype, 'toJSON', {
    value: function () { return { $int: toText(this) }; }, writable: false, configurable: false, enumerable: false,
  });

  const revive = (value) => {
    if (typeof value !== 'object' || value === null) return value;
    if (isArray(value)) {
      for (let i = 0; i < value.length; i++) value[i] = revive(value[i]);
      return value;
    }
    const names = keysOf(value);
    if (names.length === 1 && names[0] === '$int') {
      const text = value.$int;
      if (typeof text !== 'string' || !test(integerRule, text)) throw new TypeError('$int must hold a decimal integer as text');
      return toBigInt(text);
    }
    for (let i = 0; i < names.length; i++) value[names[i]] = revive(value[names[i]]);
    return value;
  };
  const fromJson = (text) => includes(text, '"$int"') ? revive(parse(text)) : parse(text);
  /** What in a value would read back as something else, as a path and a reason; '' when nothing. Members that are undefined are left out, as in JSON. */
  const flawOf = (value, depth) => {
    const type = typeof value;
    if (type === 'string' || type === 'boolean' || type === 'bigint' || value === null) return '';
    if (type === 'number') return value - value === 0 ? '' : ' is ' + toText(value);
    if (type !== 'object') return ' is ' + (type === 'undefined' ? type : 'a ' + type);
    if (depth === 0) return ' is nested too deep';
    if (isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        const flaw = flawOf(value[i], depth - 1);
        if (flaw !== '') return '/' + i + flaw;
      }
      return '';
    }
    const proto = protoOf(value);
    if (proto !== plainObject && proto !== null) return ' is not a plain object';
    const names = keysOf(value);
    let kept = 0, last;
    for (let i = 0; i < names.length; i++) {
      const member = value[names[i]];
      if (member === undefined) continue;
      const flaw = flawOf(member, depth - 1);
      if (flaw !== '') return '/' + names[i] + flaw;
      kept++;
      last = names[i];
    }
    return kept === 1 && last === '$int' ? ' has $int as its one member, which is how a BigInt is written' : '';
  };
  const toJson = (value) => {
    const flaw = flawOf(value, JSON_DEPTH_MAX);
    return flaw === '' ? stringify(value) : 'FLAW_SIGN' + (flaw.length > 200 ? '/..' + slice(flaw, -200) : flaw);
  };
  const keyText = (key) => {
    if (typeof key !== 'string' || key === '') throw new TypeError('a key is a text of at least one character');
    if (includes(key, '\0')) throw new TypeError('a key may not hold the character NUL');
    return key;
  };
  const nameText = (name) => {
    if (typeof name !== 'string' || !test(nameRule, name)) throw new TypeError('not a name: letters, digits and underscores, at most 64');
    return name;
  };

  /** What a contract throws to refuse; code is the contract's own word. */
  const refusal = (code, message, detail) => {
    const error = new Error(message);
    error.name = 'ContractRefusal';
    error.code = code;
    if (detail !== undefined) error.detail = detail;
    return error;
  };

  const functionsOf = (owner, what) => {
    const out = { __proto__: null };
    if (owner === undefined) return out;
    for (const name of keysOf(owner)) {
      nameText(name);
      const made = owner[name];
      if (typeof made !== 'function' || protoOf(made) !== plainFunction) throw new TypeError(what + ' ' + name + ' is not a plain function');
      out[name] = made;
    }
    return freeze(out);
  };

  let definition;
  let described = '';
  globalThis.contract = function contract(given) {
    if (definition !== undefined) throw new TypeError('contract() is called once');
    if (typeof given !== 'object' || given === null) throw new TypeError('contract() takes an object');
    for (const name of keysOf(given)) {
      if (name !== 'events' && name !== 'methods' && name !== 'queries') throw new TypeError('contract() knows events, methods and queries, not ' + name);
    }
    const methods = functionsOf(given.methods, 'method');
    const queries = functionsOf(given.queries, 'query');
    for (const name of keysOf(methods)) if (hasOwn(queries, name)) throw new TypeError(name + ' is both a method and a query');
    const events = given.events === undefined ? {} : given.events;
    for (const name of keysOf(events)) nameText(name);
    described = toJson({ events, methods: keysOf(methods).sort(), queries: keysOf(queries).sort() });
    definition = { methods, queries };
  };

  const ctx = {
    get(key) { const text = host(HOST_GET, keyText(key), '', ''); return text === undefined ? undefined : fromJson(text); },
    put(key, value) { host(HOST_PUT, keyText(key), toJson(value), ''); },
    delete(key) { host(HOST_DELETE, keyText(key), '', ''); },
    emit(name, data) { host(HOST_EMIT, nameText(name), toJson(data === undefined ? null : data), ''); },
    call(address, method, args) {
      if (typeof address !== 'string') throw new TypeError('an address is a text');
      const answer = host(HOST_CALL, address, nameText(method), toJson(args === undefined ? [] : args));
      const rest = slice(answer, 1);
      if (answer[0] === '=') return fromJson(rest);
      const failure = parse(rest);
      throw refusal(failure.code, failure.code, failure.detail);
    },
    fail(code, message) { throw refusal(toText(code), toText(message === undefined ? code : message)); },
  };

  /** The contract's own frames of a stack trace, first one only: name, line, column. */
  const placeOf = (stack) => {
    if (typeof stack !== 'string') return undefined;
    const from = indexOf(stack, 'CONTRACT_FILE');
    if (from < 0) return undefined;
    const rest = slice(stack, from, from + 64);
    let to = 0;
    while (to < rest.length && rest[to] !== ')' && rest[to] !== '\n') to++;
    return slice(rest, 0, to);
  };
  const failureOf = (error) => {
    if (typeof error !== 'object' || error === null) return '!' + stringify({ message: slice(toText(error), 0, 300) });
    const out = { name: slice(toText(error.name), 0, 64), message: slice(toText(error.message), 0, 300), at: placeOf(error.stack) };
    if (error.code !== undefined) out.code = slice(toText(error.code), 0, 64);
    if (error.detail !== undefined && stringify(error.detail).length <= 1000) out.detail = error.detail;
    return '!' + stringify(out);
  };

  return function enter(entry, name, argsText, contextText) {
    try {
      if (entry === ENTRY_FAULT) return failureOf(argsText); // what the code threw while it was loaded
      if (entry === ENTRY_DESCRIBE) {
        delete globalThis.contract;
        return definition === undefined ? '!' + stringify({ message: 'the code does not call contract()' }) : '=' + described;
      }
      const table = entry === ENTRY_METHOD ? definition.methods : definition.queries;
      const context = parse(contextText);
      ctx.caller = context.caller;
      ctx.sender = context.sender;
      ctx.self = context.self;
      ctx.block = context.block;
      const args = fromJson(argsText);
      args.unshift(ctx);
      const result = apply(table[name], undefined, args);
      return '=' + toJson(result === undefined ? null : result);
    } catch (error) {
      try { return failureOf(error); } catch (again) { return '!{"message":"the error could not be read"}'; }
    }
  };
})
`;

const replacements: Readonly<Record<string, string>> = {
  PERMITS: JSON.stringify(permittedGlobals),
  HOST_GET: String(HOST_OP.get),
  HOST_PUT: String(HOST_OP.put),
  HOST_DELETE: String(HOST_OP.delete),
  HOST_EMIT: String(HOST_OP.emit),
  HOST_CALL: String(HOST_OP.call),
  ENTRY_DESCRIBE: `'${ENTRY.describe}'`,
  ENTRY_METHOD: `'${ENTRY.method}'`,
  ENTRY_FAULT: `'${ENTRY.fault}'`,
  JSON_DEPTH_MAX: String(JSON_DEPTH_MAX),
  FLAW_SIGN,
  CONTRACT_FILE,
};

export const prelude: string = body.replace(/\b[A-Z]+(?:_[A-Z]+)*\b/g, (word) =>
  Object.hasOwn(replacements, word) ? replacements[word]! : word,
);
