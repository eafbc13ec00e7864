/** One method per operation of the interface, on top of a Client: names are the operationIds of the registry. Answers are `data` of the envelope. */
import type { Client, PostOptions, Query, StreamEvent, StreamOptions } from './client.ts';

/** Receipt of a submission (POST records, contracts, governance, transactions). */
export interface SubmitReceipt {
  /** Null when all that was sent are records stored before, none of which the account may read. */
  readonly transactionId: string | null;
  readonly status: 'confirmed' | 'pending';
  readonly height: number | null;
  readonly blockHash: string | null;
  readonly records?: readonly RecordReceipt[];
  readonly [name: string]: unknown;
}

export interface RecordReceipt {
  readonly id: string;
  readonly version: number;
  readonly contentDigest: string;
  readonly recordDigest: string;
  readonly digestAlg: string;
  readonly status: 'stored' | 'repeated';
}

/** Every list answers this. */
export interface ListAnswer<T> {
  readonly items: readonly T[];
  readonly next: string | null;
  readonly height: number;
  readonly complete: boolean;
  /** Where `complete` is false: `after` of the call that goes on. */
  readonly resumeAt?: string;
  readonly withheld: number;
  readonly count: number | null;
}

export type Row = Readonly<Record<string, unknown>>;

const part = encodeURIComponent;

export type Operations = ReturnType<typeof operations>;

export function operations(client: Client) {
  const get = async <T>(path: string, query: Query = {}): Promise<T> => (await client.get<T>(path, query)).data;
  const post = async <T>(path: string, body: unknown, options: PostOptions = {}): Promise<T> =>
    (await client.post<T>(path, body, options)).data;
  return {
    submitRecords: (body: unknown, options: PostOptions = {}) => post<SubmitReceipt>('records', body, options),
    validateRecords: (body: unknown, options: PostOptions = {}) => post<Row>('records/validate', body, options),
    findRecords: (query: Query = {}) => get<ListAnswer<Row>>('records', query),
    getRecord: (id: string, query: Query = {}) => get<Row>(`records/${part(id)}`, query),
    getRecordHistory: (id: string, query: Query = {}) => get<ListAnswer<Row>>(`records/${part(id)}/history`, query),
    getRecordProof: (id: string, query: Query = {}) => get<Row>(`records/${part(id)}/proof`, query),
    traceProduct: (productUid: string, query: Query = {}) => get<Row>(`trace/${part(productUid)}`, query),

    submitTransaction: (bytes: Uint8Array, options: PostOptions = {}) =>
      post<SubmitReceipt>('transactions', bytes, { ...options, contentType: 'application/octet-stream' }),
    getTransaction: (id: string) => get<Row>(`transactions/${part(id)}`),
    listBlocks: (query: Query = {}) => get<ListAnswer<Row>>('blocks', query),
    getBlock: (ref: string | number) => get<Row>(`blocks/${part(String(ref))}`),
    getBlockBytes: (ref: string | number) => client.getBytes(`blocks/${part(String(ref))}`, { form: 'raw' }),
    validateBlock: (bytes: Uint8Array) => post<Row>('blocks/validation', bytes, { contentType: 'application/octet-stream' }),
    getConsensus: () => get<Row>('consensus'),

    deployContract: (body: Row, options: PostOptions = {}) => post<SubmitReceipt>('contracts', body, options),
    listContracts: (query: Query = {}) => get<ListAnswer<Row>>('contracts', query),
    getContract: (address: string) => get<Row>(`contracts/${part(address)}`),
    callContract: (address: string, body: Row, options: PostOptions = {}) =>
      post<SubmitReceipt>(`contracts/${part(address)}/call`, body, options),
    queryContract: (address: string, method: string, args: unknown) =>
      get<Row>(`contracts/${part(address)}/query`, { method, args: JSON.stringify(args) }),
    listContractEvents: (address: string, query: Query = {}) => get<ListAnswer<Row>>(`contracts/${part(address)}/events`, query),

    listProposals: (query: Query = {}) => get<ListAnswer<Row>>('governance/proposals', query),
    getParameters: () => get<Row>('governance/parameters'),
    proposeChange: (body: Row, options: PostOptions = {}) => post<SubmitReceipt>('governance/proposals', body, options),
    voteOnProposal: (id: string, body: Row, options: PostOptions = {}) =>
      post<SubmitReceipt>(`governance/proposals/${part(id)}/votes`, body, options),

    listEntries: (kind: string, query: Query = {}) => get<ListAnswer<Row>>(`registry/${part(kind)}`, query),
    getEntry: (kind: string, id: string, query: Query = {}) => get<Row>(`registry/${part(kind)}/${part(id)}`, query),
    getEntryHistory: (kind: string, id: string, query: Query = {}) =>
      get<ListAnswer<Row>>(`registry/${part(kind)}/${part(id)}/history`, query),
    registerEntry: (kind: string, body: Row, options: PostOptions = {}) => post<SubmitReceipt>(`registry/${part(kind)}`, body, options),
    updateEntry: (kind: string, id: string, body: Row, options: PostOptions = {}) =>
      post<SubmitReceipt>(`registry/${part(kind)}/${part(id)}/update`, body, options),
    setEntryState: (kind: string, id: string, body: Row, options: PostOptions = {}) =>
      post<SubmitReceipt>(`registry/${part(kind)}/${part(id)}/state`, body, options),
    listClasses: (query: Query = {}) => get<ListAnswer<Row>>('classes', query),

    listNodes: (query: Query = {}) => get<ListAnswer<Row>>('nodes', query),
    getNode: (id: string) => get<Row>(`nodes/${part(id)}`),
    listPeers: () => get<ListAnswer<Row>>('peers'),
    listInterfaces: (query: Query = {}) => get<ListAnswer<Row>>('interfaces', query),
    listAlarms: (query: Query = {}) => get<ListAnswer<Row>>('alarms', query),
    acknowledgeAlarm: (id: number, options: PostOptions = {}) => post<Row>(`alarms/${id}/acknowledge`, {}, options),
    listExchanges: (query: Query = {}) => get<ListAnswer<Row>>('audit/exchanges', query),

    login: (body: { readonly account: string; readonly password: string; readonly otp?: string }) => post<Row>('auth/login', body),
    stepUp: (otp: string) => post<Row>('auth/step-up', {}, { otp }),
    issueToken: (body: Row, options: PostOptions = {}) => post<Row>('auth/tokens', body, options),

    streamEvents: (options: StreamOptions = {}): AsyncGenerator<StreamEvent, void, undefined> => client.stream('events/stream', options),
  };
}
