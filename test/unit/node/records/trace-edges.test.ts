import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../../../node/format/index.ts';
import type { RecordRow } from '../../../../node/records/source.ts';
import { type Trace, traceProduct, type TraceSource } from '../../../../node/records/trace.ts';
import { annexRecord } from './sample.ts';
import { rowOf, indexOf } from './index-rows.ts';

// A supplier's ingot lot becomes alpha's housing, which goes into gamma's machine.
const chainRows: RecordRow[] = [
  rowOf(
    annexRecord({
      product_uid: 'INGOT-1',
      pro_factory_uid: 'F-S',
      ext: { production_batch: 'LOT-5', device_id: 'FURNACE' },
      pro_raw_material: { pro_supplier: 'mine', pro_batch_number: 'ORE-1', pro_Report_qualify_eval: 'UNAVAILABLE' },
    }),
    { org: 'smelter' },
  ),
  rowOf(
    annexRecord({
      product_uid: 'HOUSING-1',
      ext: { production_batch: 'PB-1', device_id: 'MILL' },
      pro_raw_material: { pro_supplier: 'smelter', pro_batch_number: 'LOT-5', pro_Report_qualify_eval: 'QR-5' },
    }),
  ),
  rowOf(
    { report_id: 'QR-5', production_batch: 'LOT-5', start_time: '1754697600000', checker_id: { sealed: 'a'.repeat(64) }, verdict: 'pass' },
    { class: 'quality', org: 'smelter' },
  ),
  rowOf(
    annexRecord({
      product_uid: 'MACHINE-1',
      pro_factory_uid: 'F-G',
      pro_raw_material: { pro_supplier: 'nobody', pro_batch_number: 'X', pro_Report_qualify_eval: 'UNAVAILABLE' },
      ext: {
        links: [
          { rel: 'contains', type: 'product', id: 'HOUSING-1', org: 'alpha' },
          { rel: 'contains', type: 'product', id: 'SCREW-1', org: 'delta' },
          { rel: 'produced_on', type: 'device', id: 'MILL' },
          { rel: 'produced_on', type: 'device', id: 'LATHE', org: 'gamma' },
        ],
      },
    }),
    { org: 'gamma' },
  ),
];

async function trace(product: string, options = {}): Promise<Trace> {
  const index = await indexOf([chainRows]);
  const source: TraceSource = { record: async (id) => chainRows.find(({ recordId }) => toHex(recordId) === toHex(id))?.record };
  return traceProduct(index, source, product, options);
}

const edgesOf = ({ edges }: Trace): string[] => edges.map(({ from, rel, to, status }) => `${from} ${rel} ${to} ${status}`).sort();

test('trace shows what went into a product and where it went, claimed and confirmed apart', async () => {
  const result = await trace('HOUSING-1');
  assert.equal(result.complete, true);
  assert.deepEqual(edgesOf(result), [
    'material_batch/smelter/LOT-5 consumes material_batch/mine/ORE-1 claimed',
    'material_batch/smelter/LOT-5 inspected_by report/QR-5 confirmed',
    'material_batch/smelter/LOT-5 produced_on device/FURNACE confirmed',
    'material_batch/smelter/LOT-5 produced_on factory/F-S confirmed',
    'material_batch/smelter/LOT-5 reported_in report/QR-5 confirmed',
    'product/HOUSING-1 consumes material_batch/smelter/LOT-5 confirmed',
    'product/HOUSING-1 made_in production_batch/PB-1 confirmed',
    'product/HOUSING-1 produced_on device/MILL confirmed',
    'product/HOUSING-1 produced_on factory/F-001 confirmed',
    'product/MACHINE-1 contains product/HOUSING-1 confirmed',
  ]);
  const report = result.nodes.find(({ id }) => id === 'report/QR-5')!;
  assert.deepEqual([report.facts.verdict, report.records.length], ['pass', 1]);
  assert.equal(result.nodes[0]!.facts.location, '昆明, line 3');
});

test('trace goes down from the first material to the machine, and up from the machine', async () => {
  const down = await trace('INGOT-1', { direction: 'down' });
  assert.deepEqual(
    edgesOf(down).filter((edge) => edge.startsWith('product/')),
    ['product/HOUSING-1 consumes material_batch/smelter/LOT-5 confirmed', 'product/MACHINE-1 contains product/HOUSING-1 confirmed'],
  );
  const up = edgesOf(await trace('MACHINE-1', { direction: 'up' }));
  assert.ok(up.includes('product/MACHINE-1 contains product/SCREW-1 claimed'));
  assert.ok(up.includes('material_batch/smelter/LOT-5 consumes material_batch/mine/ORE-1 claimed'));
});

test('a link to a device is a claim, whoever it names as its owner: the contract checks the fields of a record only', async () => {
  const edges = edgesOf(await trace('MACHINE-1', { direction: 'up', depthMax: 1 }));
  assert.ok(edges.includes('product/MACHINE-1 produced_on device/MILL claimed'));
  assert.ok(edges.includes('product/MACHINE-1 produced_on device/LATHE claimed'));
  assert.ok(edges.includes('product/MACHINE-1 produced_on factory/F-G confirmed'));
});

test('a trace cut by a bound says so, and an unknown product is one node without records', async () => {
  assert.equal((await trace('HOUSING-1', { nodesMax: 3 })).complete, false);
  assert.equal((await trace('MACHINE-1', { direction: 'up', depthMax: 1 })).complete, false);
  const unknown = await trace('SN-404');
  assert.deepEqual([unknown.nodes.length, unknown.nodes[0]!.records.length, unknown.edges.length, unknown.complete], [1, 0, 0, true]);
});
