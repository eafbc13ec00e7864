/** The one form of native answers (DB53 5.2.1.2.b, 5.2.2.d): code, message, data, details and requestId, in JSON or XML, in English or Chinese. */
import { errorRow, isErrorCode } from '../../../node/errors/index.ts';
import type { Steps } from '../../../node/pace/index.ts';
import { bytesSteps, type Detail, jsonForm, type Language, textSteps } from '../../rest/index.ts';
import type { AnswerFormat } from './negotiation.ts';
import { xmlForm } from './xml.ts';

export interface Envelope {
  readonly code: string;
  readonly message: string;
  readonly data: unknown;
  readonly details: readonly Detail[];
  readonly requestId: string;
}

export const MEDIA_TYPE: Readonly<Record<AnswerFormat, string>> = {
  json: 'application/json; charset=utf-8',
  xml: 'application/xml; charset=utf-8',
};

/** An answer in steps: it may hold megabytes. One that a step writes is text. */
export function* encodeEnvelope(envelope: Envelope, format: AnswerFormat): Steps<Buffer | string> {
  const pieces = format === 'json' ? yield* jsonSteps(envelope) : yield* textSteps(envelope, xmlForm);
  return pieces.length === 1 ? pieces[0]! : yield* bytesSteps(pieces);
}

function* jsonSteps({ code, message, data, details, requestId }: Envelope): Steps<readonly string[]> {
  const head = `{"code":"${code}","message":${JSON.stringify(message)},"data":`;
  const shown = yield* textSteps(data, jsonForm);
  const faults = details.length === 0 ? NONE : yield* textSteps(details, jsonForm);
  const end = `,"requestId":${JSON.stringify(requestId)}}`;
  return shown.length + faults.length === 2
    ? [`${head}${shown[0]!},"details":${faults[0]!}${end}`]
    : [head, ...shown, ',"details":', ...faults, end];
}

const NONE: readonly string[] = ['[]'];

export function messageOf(code: string, language: Language): string {
  const row = errorRow(code);
  if (code === 'OK') return row.text[language];
  return language === 'en' ? `${row.text.en}. ${row.remedy.en}.` : `${row.text.zh}。${row.remedy.zh}。`;
}

/** Details whose message is the English text of the error table, in the caller's language. */
export function localDetails(details: readonly Detail[], language: Language): readonly Detail[] {
  if (language === 'en') return details;
  return details.map((detail) =>
    isErrorCode(detail.code) && detail.message === errorRow(detail.code).text.en
      ? { ...detail, message: errorRow(detail.code).text[language] }
      : detail,
  );
}
