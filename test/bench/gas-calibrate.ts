/**
 * What gas costs in time: `node dist/test/bench/gas-calibrate.js [milliseconds per slice]`. Prints for each operation of gas/operations.ts its
 * processor time here, its gas, picoseconds per gas on the reference machine (the 25 ps of contracts/gas.ts are the most that is fair), and the gas
 * that would be fair, dearest first. One signature check beside each operation is the clock, so that a slow or busy machine gives the same list.
 * Run it before a price is changed; test/unit/contracts/gas-price.test.ts keeps the relation.
 */
import { GAS_PER_MICROSECOND } from '../../contracts/index.ts';
import { parameterTable } from '../../node/format/index.ts';
import { measure, overrun } from './gas/measure.ts';
import { openOperations } from './gas/operations.ts';

const SLICE_MS = Number(process.argv[2] ?? 60);
const FAIR_PS_PER_GAS = 1e6 / GAS_PER_MICROSECOND;

const { operations, reference } = await openOperations();
const rows = operations.map((operation) => measure(operation, reference, SLICE_MS));
rows.sort((a, b) => overrun(b) - overrun(a));
for (const row of rows)
  console.log(
    row.name.padEnd(68),
    `${row.us.toFixed(1)} us`.padStart(14),
    `${row.gas} gas`.padStart(16),
    `${(overrun(row) * FAIR_PS_PER_GAS).toFixed(1)} ps/gas`.padStart(14),
    `fair ${Math.round(overrun(row) * row.gas)}`.padStart(16),
  );
const worst = rows[0]!;
const quarterMs = parameterTable.viewTimeoutMs.default / 4;
const blockMs = (overrun(worst) * parameterTable.blockGasMax.default) / GAS_PER_MICROSECOND / 1_000;
console.log(
  `one signature check took ${worst.referenceUs.toFixed(1)} us; a full block of "${worst.name}" takes ${blockMs.toFixed(0)} ms on the reference machine, a quarter of the view time-out is ${quarterMs} ms`,
);
