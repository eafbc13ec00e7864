/** Record classes: the built-in ones as data, the closed schema language, and its checker. */
import { device } from './device.ts';
import { materialConsumption } from './material-consumption.ts';
import { production } from './production.ts';
import { quality } from './quality.ts';
import type { ClassDefinition } from './schema.ts';

export * from './check.ts';
export * from './ext.ts';
export * from './facts.ts';
export * from './judge.ts';
export * from './respell.ts';
export * from './scan.ts';
export * from './schema.ts';
export * from './source.ts';
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
