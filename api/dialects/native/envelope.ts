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

/** An answer as bytes, in steps: it may hold megabytes. */
export function* encodeEnvelope(envelope: Envelope, format: AnswerFormat): Steps<Buffer> {
  return yield* bytesSteps(yield* textSteps(envelope, format === 'json' ? jsonForm : xmlForm));
}

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
