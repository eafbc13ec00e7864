/**
 * Quality gate: counts how often each product passed and failed, and closes the gate for a product that failed too often.
 *
 *   judge(product, verdict)              verdict 'pass' or 'fail'; emits Judged
 *   totals(product)                      query: {pass, fail, open}
 *
 * A product whose failures reach FAILURES_MAX is closed: further verdicts are refused with GATE_CLOSED.
 */
const FAILURES_MAX = 3;

function totalsOf(ctx, product) {
  if (typeof product !== 'string' || product === '') ctx.fail('PRODUCT_MISSING', 'name the product as a text');
  return ctx.get('product/' + product) ?? { pass: 0, fail: 0, open: true };
}

contract({
  events: {
    Judged: { product: 'text', verdict: 'pass or fail', inspector: 'account that called', pass: 'integer', fail: 'integer', open: 'boolean' },
  },
  methods: {
    judge(ctx, product, verdict) {
      if (verdict !== 'pass' && verdict !== 'fail') ctx.fail('VERDICT_UNKNOWN', 'a verdict is pass or fail');
      const totals = totalsOf(ctx, product);
      if (!totals.open) ctx.fail('GATE_CLOSED', product + ' failed ' + totals.fail + ' times');
      totals[verdict] += 1;
      totals.open = totals.fail < FAILURES_MAX;
      ctx.put('product/' + product, totals);
      ctx.emit('Judged', { product, verdict, inspector: ctx.caller, pass: totals.pass, fail: totals.fail, open: totals.open });
      return totals;
    },
  },
  queries: {
    totals(ctx, product) {
      return totalsOf(ctx, product);
    },
  },
});
