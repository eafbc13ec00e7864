/** Record classes: the built-in ones as data, the closed schema language, and its checker. */
import { device } from './device.ts';
import { materialConsumption } from './material-consumption.ts';
import { production } from './production.ts';
import { quality } from './quality.ts';
import type { ClassDefinition } from './schema.ts';

export {
  checkContent,
  type ContentForm,
  foldSingles,
  isBlank,
  nearestName,
  RECORD_FAULTS_MAX,
  type RecordFault,
  sealContent,
} from './check.ts';
export { EXT_SCHEMA } from './ext.ts';
export {
  factsOf,
  factsSteps,
  keyOf,
  type LinkFact,
  type MaterialFact,
  normalSpelling,
  type RecordFacts,
  storedSpelling,
  timePath,
} from './facts.ts';
export { judgeByReading, judgeContent, type JudgedContent } from './judge.ts';
export { respell } from './respell.ts';
export { scanContent } from './scan.ts';
export { type ClassDefinition, fieldOf, type FieldSchema, MAP_NAMES_MAX, readClass, type StructSchema } from './schema.ts';
export { checkSource } from './source.ts';
export { device, materialConsumption, production, quality };

export const builtinClasses: Readonly<Record<string, ClassDefinition>> = {
  production,
  device,
  quality,
  material_consumption: materialConsumption,
};

export function builtinClass(name: string): ClassDefinition | undefined {
  return Object.hasOwn(builtinClasses, name) ? builtinClasses[name] : undefined;
}
