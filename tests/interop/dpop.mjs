// DPoP proofs as npm's jose makes them: reads a JSON array of {alg, key, htm, htu, token, nonce}, writes
// one of {proof, key, thumbprint}. Without `key` (a private JWK) there is a new one.
import { createHash, randomUUID } from 'node:crypto';
import * as jose from 'jose';

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const jobs = JSON.parse(Buffer.concat(chunks).toString());

const proofs = await Promise.all(
  jobs.map(async ({ alg, key, htm, htu, token, nonce }) => {
    if (!key) key = await jose.exportJWK((await jose.generateKeyPair(alg, { extractable: true })).privateKey);
    const { d, ...jwk } = key;
    const ath = token ? createHash('sha256').update(token).digest('base64url') : undefined;
    const proof = await new jose.SignJWT({ jti: randomUUID(), htm, htu, ath, nonce: nonce ?? undefined })
      .setProtectedHeader({ typ: 'dpop+jwt', alg, jwk })
      .setIssuedAt()
      .sign(await jose.importJWK(key, alg));
    return { proof, key, thumbprint: await jose.calculateJwkThumbprint(jwk) };
  }),
);
process.stdout.write(JSON.stringify(proofs));
