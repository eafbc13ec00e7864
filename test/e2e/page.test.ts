/** The page at `/` in a browser: what a visitor sees of a running devnet (5.1.1.d). */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, chromium, type Page } from 'playwright-core';
import { DEFAULT_ACCOUNT } from '../../devnet/topology.ts';
import { type Devnet, startDevnet } from '../../devnet/index.ts';
import { sampleText } from '../../devnet/sample-record.ts';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = BROWSERS.find((path) => existsSync(path));
const skip = executablePath === undefined ? `no browser at ${BROWSERS.join(', ')}` : false;
/** Without these a browser looks for its maker's hosts at every start. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Of one wait in the browser; a slow machine starts it and a devnet on the same two cores. */
const TIMEOUT_MS = 120_000;
const PRODUCT = 'PAGE-0001';
/** Where to leave pictures for a person to look at. */
const PICTURE = process.env.TRACEMILL_PAGE_PICTURE;

let dir: string;
let net: Devnet | undefined;
let browser: Browser | undefined;

before(async () => {
  if (skip !== false) return;
  dir = mkdtempSync(join(tmpdir(), 'tracemill-e2e-page-'));
  net = await startDevnet({ dir });
  browser = await chromium.launch({ executablePath: executablePath!, args: FLAGS, timeout: TIMEOUT_MS });
  const sample = {
    productUid: PRODUCT,
    productionTime: '2026-01-02T03:04:05Z',
    factory: 'F-001',
    device: 'MILL-01',
    productionBatch: 'PB-PAGE',
    supplier: 'Panzhihua Steel Trade',
    materialBatch: 'RM-PAGE',
    operatorName: 'Li Ming',
    operatorId: 'OP-7',
  };
  const client = node().client(DEFAULT_ACCOUNT);
  await client.post('records', JSON.parse(sampleText(sample, 'json')), { contentType: 'application/json', idempotencyKey: 'page-test' });
});

after(async () => {
  await browser?.close();
  await net?.stop();
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

function node() {
  return net!.nodes[0]!;
}

async function open(locale: string): Promise<Page> {
  const context = await browser!.newContext({ ignoreHTTPSErrors: true, locale, viewport: { width: 1200, height: 1000 } });
  context.setDefaultTimeout(TIMEOUT_MS);
  const page = await context.newPage();
  await page.goto(`${node().url}/`);
  return page;
}

async function signIn(page: Page): Promise<void> {
  await page.fill('#token', net!.tokens[DEFAULT_ACCOUNT]!);
  await page.click('#signin button');
  await page.waitForSelector('#main:not([hidden])');
}

/** The page's policy forbids the browser to wait for us: it would have to evaluate text. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + TIMEOUT_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `${what}: not within ${TIMEOUT_MS} ms`);
    await sleep(100);
  }
}

async function text(page: Page, selector: string): Promise<string> {
  return (await page.textContent(selector)) ?? '';
}

test('a visitor with a token sees height, validators and records, traces a product, and finds the genesis hash', { skip }, async () => {
  const page = await open('en-GB');
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  assert.equal(await text(page, '#genesis'), net!.genesisHash);
  assert.equal(await page.isVisible('#main'), false);
  await signIn(page);
  const first = Number(await text(page, '#height'));
  assert.equal(first >= 1, true);
  await until('the height rises', async () => Number(await text(page, '#height')) > first);
  await until('four validators are connected', async () => (await text(page, '#connected')) === '4 / 4');
  const nodes = await page.locator('#nodes tr').allTextContents();
  for (const { id } of net!.nodes) assert.equal(nodes.filter((row) => row.includes(id)).length, 1, id);

  await page.waitForSelector('#records tr');
  assert.match((await page.locator('#records tr').first().textContent()) ?? '', /production.*submitted/);
  await page.locator('#records button').first().click();
  await page.waitForSelector('#record:not([hidden])');
  assert.match(await text(page, '#record'), new RegExp(PRODUCT));
  assert.equal(await page.inputValue('#product'), PRODUCT);

  await page.click('#trace button');
  await page.waitForSelector('#traced li');
  const traced = (await page.locator('#traced li').allTextContents()).join('\n');
  for (const thing of [PRODUCT, 'PB-PAGE', 'RM-PAGE', 'Panzhihua Steel Trade', 'MILL-01', 'F-001'])
    assert.ok(traced.includes(thing), thing);
  assert.match(await text(page, '#traced'), /Complete at height \d+/);
  if (PICTURE !== undefined) await page.screenshot({ path: PICTURE, fullPage: true });
  assert.deepEqual(faults, []);

  await page.click('#signout');
  await page.waitForSelector('#signin:not([hidden])');
  assert.equal(await page.isVisible('#main'), false);
  assert.equal(await page.evaluate(`sessionStorage.getItem('token')`), null);
  await page.context().close();
});

test('a browser in Chinese gets a page in Chinese, and a bad token a reason', { skip }, async () => {
  const page = await open('zh-CN');
  await page.fill('#token', 'tm1.bad.bad');
  await page.click('#signin button');
  await page.waitForSelector('#notice.bad:not([hidden])');
  assert.match(await text(page, '#notice'), /[\u4e00-\u9fff]/);
  assert.equal(await page.isVisible('#main'), false);
  await signIn(page);
  assert.equal(await text(page, '#signout'), '退出');
  assert.equal(await page.getAttribute('html', 'lang'), 'zh');
  if (PICTURE !== undefined) await page.screenshot({ path: `${PICTURE}.zh.png`, fullPage: true });
  await page.context().close();
});
