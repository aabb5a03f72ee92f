// Reads cases (one a line, hexadecimal) and prints what node's own parser makes of each: `key=value` pairs in hexadecimal.
const { readFileSync } = require('node:fs');
const { parseEnv } = require('node:util');
if (!parseEnv) process.exit(127); // a node without one
const hex = (text) => Buffer.from(text, 'utf8').toString('hex');
for (const line of readFileSync(process.argv[2], 'utf8').split('\n').slice(0, -1)) {
  const values = parseEnv(Buffer.from(line, 'hex').toString('utf8'));
  console.log(Object.entries(values).map(([key, value]) => `${hex(key)}=${hex(value)}`).join(' '));
}
