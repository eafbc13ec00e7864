/** Names of the engines, in a file of their own: the command line shows them and loads nothing else. */

export const engineNames = ['pbft'] as const;
export type EngineName = (typeof engineNames)[number];

/** Of a chain whose founder names none. */
export const ENGINE_DEFAULT: EngineName = 'pbft';
