/** One record in the three formats of annex A, for scenarios: the same texts, spelled as each format spells them. */
import type { RowFormat } from '../api/cli/index.ts';

export interface Sample {
  readonly productUid: string;
  readonly productionTime: string;
  readonly factory: string;
  readonly device: string;
  readonly productionBatch: string;
  readonly supplier: string;
  readonly materialBatch: string;
  readonly operatorName: string;
  readonly operatorId: string;
}

type Tree = { readonly [name: string]: string | Tree };

function treeOf(sample: Sample): Tree {
  return {
    production_time: sample.productionTime,
    production_location: 'Kunming, line 3',
    product_uid: sample.productUid,
    pro_raw_material: { pro_supplier: sample.supplier, pro_batch_number: sample.materialBatch, pro_Report_qualify_eval: 'QR-77' },
    propara: { pro_temperature: '21.50', pro_humidity: '45', pro_pressure: '101.3' },
    pro_op_info: { pro_op_name: sample.operatorName, pro_op_id: sample.operatorId, pro_op_record: 'milled, deburred' },
    pro_factory_uid: sample.factory,
    ext: { device_id: sample.device, production_batch: sample.productionBatch },
  };
}

export function sampleText(sample: Sample, format: Exclude<RowFormat, 'jsonl'>): string {
  const tree = treeOf(sample);
  switch (format) {
    case 'json':
      return `${JSON.stringify(tree, undefined, 2)}\n`;
    case 'xml':
      return `<?xml version="1.0" encoding="UTF-8"?>\n<record>\n${elements(tree)}</record>\n`;
    case 'csv': {
      const cells = flat(tree, '');
      const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
      return `${cells.map(([name]) => name).join(',')}\r\n${cells.map(([, value]) => quoted(value)).join(',')}\r\n`;
    }
  }
}

function elements(tree: Tree): string {
  const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return Object.entries(tree)
    .map(([name, value]) => `<${name}>${typeof value === 'string' ? escaped(value) : `\n${elements(value)}`}</${name}>\n`)
    .join('');
}

function flat(tree: Tree, prefix: string): readonly (readonly [string, string])[] {
  return Object.entries(tree).flatMap(([name, value]): (readonly [string, string])[] =>
    typeof value === 'string' ? [[prefix + name, value]] : [...flat(value, `${prefix}${name}.`)],
  );
}
