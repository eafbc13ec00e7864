/** Door of what a node reports: events, alarms, health, the log of exchanges. */
export { type AlarmRaiser, createAlarmRaiser } from './alarm-raiser.ts';
export { openAlarms } from './alarms.ts';
export {
  type Anchors,
  createExchangeWatch,
  type Examination,
  examineExchanges,
  EXCHANGE_FAULTS_MAX,
  type ExchangeFault,
} from './exchange-audit.ts';
export { type ExchangeFilter, type ExchangeLog, openExchangeLog, SEGMENT_MAX } from './exchange-log.ts';
export { createHealth, type Health } from './health.ts';
export { createOutbox } from './outbox.ts';
