import { plainDialect } from '../shared/dialect.ts';

export const OIP = plainDialect('oip');
