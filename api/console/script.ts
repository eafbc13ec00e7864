/**
 * Script of the page at `/`, as the browser gets it. Everything shown is put in as text, never as markup. The token stays in the tab
 * (sessionStorage) and goes nowhere but into the Authorization header.
 */
export const consoleScript = `'use strict';
const $ = (id) => document.getElementById(id);
const REFRESH_MS = 2000;
const RECORDS_SHOWN = 15;
const chinese = navigator.language.toLowerCase().startsWith('zh');
const ZH = {
  token: '访问令牌', signin: '登录', signout: '退出', hint: '开发网启动时会打印令牌；也可运行', height: '区块高度', lastBlock: '最新区块', primary: '主节点',
  validators: '已连接验证节点', waiting: '待处理交易', traceTitle: '产品溯源', product: '产品编号', trace: '追溯', recordsTitle: '最新记录', class: '类别',
  event: '事件', version: '版本', record: '记录', digest: '摘要', norecords: '暂无记录。', nodesTitle: '节点', node: '节点', organisation: '组织', role: '角色', state: '状态',
  link: '连接', genesis: '创世哈希', software: '软件版本', interfaces: '接口清单', self: '本节点', connected: '已连接', away: '未连接', tracing: '正在追溯…',
  none: '链上没有该产品的记录。', complete: '结果完整，截至高度 ', partial: '结果不完整，截至高度 ', silent: '节点没有响应：', out: '已退出。', claimed: '（单方声明）',
  product_: '产品', production_batch: '生产批次', material_batch: '原料批次', device: '设备', report: '质量报告', factory: '工厂', order: '订单', ago: (s) => s < 90 ? s + ' 秒前' : s < 5400 ? Math.round(s / 60) + ' 分钟前' : Math.round(s / 3600) + ' 小时前',
  RecordSubmitted: '已提交', RecordAmended: '已修订', records: (n) => n + ' 条记录', active: '有效', suspended: '已停用', validator: '验证节点', observer: '观察节点',
};
const EN = {
  self: 'this node', connected: 'connected', away: 'not connected', tracing: 'Tracing…', none: 'The chain holds no record of this product.', complete: 'Complete at height ',
  partial: 'Not complete, at height ', silent: 'The node does not answer: ', out: 'Signed out.', claimed: ' (claimed by one side)', product_: 'product', production_batch: 'production batch',
  material_batch: 'material batch', report: 'quality report', ago: (s) => s < 90 ? s + ' s ago' : s < 5400 ? Math.round(s / 60) + ' min ago' : Math.round(s / 3600) + ' h ago',
  RecordSubmitted: 'submitted', RecordAmended: 'amended', records: (n) => n === 1 ? '1 record' : n + ' records',
};
const t = (key) => (chinese ? ZH[key] : EN[key]) ?? key;
if (chinese) {
  document.documentElement.lang = 'zh';
  for (const place of document.querySelectorAll('[data-t]')) place.textContent = ZH[place.dataset.t] ?? place.textContent;
}
let token = sessionStorage.getItem('token') || '';
let timer;
let shown = '';

async function get(path) {
  const response = await fetch('/api/v1/' + path, { headers: { authorization: 'Bearer ' + token, accept: 'application/json', 'accept-language': navigator.language } });
  const answer = await response.json();
  if (answer.code !== 'OK') throw Object.assign(new Error(answer.message), { code: answer.code, status: response.status });
  return answer.data;
}
function say(text, bad) { $('notice').textContent = text; $('notice').className = bad ? 'bad' : ''; $('notice').hidden = text === ''; }
function element(name, text, style) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = String(text);
  if (style) made.className = style;
  return made;
}
function row(...values) {
  const made = document.createElement('tr');
  for (const value of values) {
    const cell = document.createElement('td');
    cell.append(value instanceof Node ? value : String(value ?? ''));
    made.append(cell);
  }
  return made;
}
const short = (hex) => hex.slice(0, 16) + '…';
const ago = (ms) => t('ago')(Math.max(0, Math.round((Date.now() - ms) / 1000)));

/** The newest record events: a short window of blocks first, a long one on a quiet chain. */
async function lastRecords(height) {
  for (const window of [3, 30, 1000]) {
    let events = await get('contracts/records/events?limit=1000&fromHeight=' + Math.max(0, height - window));
    const last = events.items;
    while (events.next && last.length < 5000) {
      events = await get('contracts/records/events?limit=1000&fromHeight=' + Math.max(0, height - window) + '&after=' + encodeURIComponent(events.next));
      last.push(...events.items);
    }
    if (last.length > 0 || window > height) return last.slice(-RECORDS_SHOWN).reverse();
  }
  return [];
}
function showRecords(events) {
  const state = events.map((e) => e.id).join();
  $('norecords').hidden = events.length > 0;
  if (state === shown) return; // nothing new: what somebody is about to click stays where it is
  shown = state;
  $('records').replaceChildren(...events.map((e) => {
    const open = element('button', short(e.data.id), 'link');
    open.type = 'button';
    open.title = e.data.id;
    open.addEventListener('click', () => showRecord(e.data.id));
    const digest = element('span', short(e.data.recordDigest), 'mono');
    digest.title = e.data.recordDigest;
    return row(e.height, e.data.class, t(e.name), e.data.version, open, digest);
  }));
}
async function showRecord(id) {
  try {
    const record = await get('records/' + id);
    $('record').textContent = JSON.stringify(record.record ?? record, null, 2);
    const uid = (record.key || {}).product_uid;
    if (uid) $('product').value = uid;
  } catch (error) { $('record').textContent = error.message; }
  $('record').hidden = false;
}
function showNodes(nodes) {
  const validators = nodes.filter((n) => n.data.role === 'validator');
  $('connected').textContent = validators.filter((n) => n.self || n.connected).length + ' / ' + validators.length;
  $('nodes').replaceChildren(...nodes.map((n) =>
    row(n.id, n.owner, t(n.data.role), t(n.state), element('span', t(n.self ? 'self' : n.connected ? 'connected' : 'away'), n.self || n.connected ? 'good' : 'bad'))));
}
async function refresh() {
  const mine = token;
  try {
    const chain = await get('consensus');
    const [nodes, records] = await Promise.allSettled([get('nodes'), lastRecords(chain.head.height)]);
    if (mine !== token) return; // signed out meanwhile
    $('height').textContent = chain.head.height;
    $('age').textContent = chain.head.height === 0 ? '–' : ago(chain.head.timestampMs);
    $('primary').textContent = chain.round.primary;
    $('waiting').textContent = chain.mempool.count;
    if (nodes.status === 'fulfilled') showNodes(nodes.value.items);
    if (records.status === 'fulfilled') showRecords(records.value);
    $('main').hidden = false; $('signout').hidden = false; $('signin').hidden = true;
    say('');
  } catch (error) {
    if (mine !== token) return;
    if (error.status === 401 || error.status === 403) return signOut(error.message);
    say(t('silent') + error.message, true);
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, REFRESH_MS);
}
function signOut(text) {
  clearTimeout(timer);
  token = '';
  sessionStorage.removeItem('token');
  $('main').hidden = true; $('signout').hidden = true; $('signin').hidden = false; $('record').hidden = true;
  $('traced').replaceChildren();
  say(text || t('out'), Boolean(text));
}
$('signin').addEventListener('submit', (event) => {
  event.preventDefault();
  token = $('token').value.trim();
  $('token').value = '';
  sessionStorage.setItem('token', token);
  refresh();
});
$('signout').addEventListener('click', () => signOut());
$('trace').addEventListener('submit', async (event) => {
  event.preventDefault();
  const box = $('traced');
  box.replaceChildren(element('p', t('tracing'), 'quiet'));
  try {
    const answer = await get('trace/' + encodeURIComponent($('product').value.trim()));
    const claimed = new Set(answer.edges.filter((e) => e.status === 'claimed').map((e) => e.to));
    const known = answer.nodes.some((n) => n.records.length > 0);
    const list = element('ul');
    for (const node of answer.nodes) {
      const line = element('li');
      const facts = Object.values(node.facts).concat(node.records.length > 0 ? [t('records')(node.records.length)] : []);
      line.append(element('span', t(node.type === 'product' ? 'product_' : node.type), 'quiet'), element('b', node.label), element('small', facts.length ? '  ' + facts.join(' · ') : '', 'quiet'));
      if (claimed.has(node.id)) line.append(element('small', t('claimed'), 'quiet'));
      list.append(line);
    }
    if (known) box.replaceChildren(list, element('p', t(answer.complete ? 'complete' : 'partial') + answer.height, 'quiet'));
    else box.replaceChildren(element('p', t('none'), 'quiet'));
  } catch (error) { box.replaceChildren(element('p', error.message, 'bad')); }
});
if (token) refresh();
`;
