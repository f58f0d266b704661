import { plainDialect } from '../shared/dialect.ts';

export const NATIVE = plainDialect('native');
