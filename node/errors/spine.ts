import type { ErrorRows } from './row.ts';

/** Outbox and alarms. */
export const spineErrors = {
  ALARM_UNKNOWN: {
    kind: 'missing',
    httpStatus: 404,
    text: { en: 'This node keeps no alarm of this number', zh: '本节点没有该编号的告警' },
    remedy: { en: 'List the alarms; old acknowledged ones are let go', zh: '请查询告警列表；较早的已确认告警会被清除' },
  },
  ALARM_ACKNOWLEDGED: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'The alarm is acknowledged already', zh: '告警已被确认' },
    remedy: { en: 'Nothing to do; data names who did it', zh: '无需处理；data 中有确认人' },
  },
  EXCHANGE_LOG_REWRITTEN: {
    kind: 'damaged',
    httpStatus: 500,
    text: {
      en: 'The exchange log is not the one that was written: an entry, a link or an anchored head does not fit',
      zh: '调用日志与当初写入的不一致：存在不符的条目、链接或链上锚点',
    },
    remedy: {
      en: 'Keep the data directory as it is and find out who had access to the machine; data names the first entry that does not fit, and entries below it are sound; a log that was cut goes on after its last anchored entry; acknowledge the alarm once it is cleared up',
      zh: '请保留数据目录原状并查明谁访问过该机器；data 给出首个不符的条目，其之前的条目完好；被截断的日志从最后一个已锚定条目之后继续；查明后请确认告警',
    },
  },
  OUTBOX_SUBSCRIBERS_FULL: {
    kind: 'limited',
    httpStatus: 429,
    text: { en: 'As many subscribers follow the outbox as may', zh: '订阅数已达上限' },
    remedy: { en: 'End subscriptions that are no longer used', zh: '请取消不再使用的订阅' },
  },
  OUTBOX_SUBSCRIBER_KNOWN: {
    kind: 'conflict',
    httpStatus: 409,
    text: { en: 'A subscriber of this name follows the outbox already', zh: '同名订阅已存在' },
    remedy: { en: 'Stop it first, or choose another name', zh: '请先停止该订阅或更换名称' },
  },
} as const satisfies ErrorRows;
