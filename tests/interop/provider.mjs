// An identity provider on loopback: npm's oidc-provider, for the tests of src/provider.rs.
//
//     node provider.mjs          writes one line to stdout, {"issuer": …}, and serves until stdin ends
//
// What a provider's operator does in an admin console is done here under /admin/ (POST, form or none):
//     rotate      a new signing key; the old ones stay in the key set
//     retire      the key set holds the current signing key alone
//     user-token  sub, resource, scope, sid → an access token of a user, without his browser
//     logout      sub, sid, uri → a logout token, sent to that URI (OIDC back-channel logout)
import { createServer } from 'node:http';
import { X509Certificate } from 'node:crypto';
import * as jose from 'jose';
import Provider, { errors } from 'oidc-provider';

// The library writes advice about production to the console.
for (const level of ['warn', 'info', 'log', 'error']) console[level] = () => {};

const JWT = 'https://api.example.com';
const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'];
// https://api.example.com/ES256 has its tokens signed with ES256, and so on.
const jwtResource = (resource) => {
  const alg = resource === JWT ? 'RS256' : resource.slice(JWT.length + 1);
  return resource.startsWith(JWT) && algorithms.includes(alg) ? alg : undefined;
};
const OPAQUE = 'https://opaque.example.com';
const SCOPES = 'read:orders write:orders';

const secret = (id, more = {}) => ({
  client_id: id,
  client_secret: `${id}-secret-of-at-least-thirty-two-bytes`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  authorization_details_types: ['payment_initiation'],
  ...more,
});
const clients = (logoutUri) => [
  secret('machine'),
  secret('dpop', { dpop_bound_access_tokens: true }),
  secret('mtls', { tls_client_certificate_bound_access_tokens: true }),
  // The resource server itself, where it asks about opaque tokens.
  secret('api'),
  secret('web', {
    backchannel_logout_uri: logoutUri ?? 'http://127.0.0.1:1/none',
    backchannel_logout_session_required: true,
  }),
];

// What was issued survives a rotation: all instances share it.
const stored = new Map();
class Adapter {
  constructor(model) {
    this.model = model;
  }
  async upsert(id, payload) {
    stored.set(`${this.model}:${id}`, { ...payload });
  }
  async find(id) {
    return stored.get(`${this.model}:${id}`);
  }
  async consume(id) {
    const found = stored.get(`${this.model}:${id}`);
    if (found) found.consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    stored.delete(`${this.model}:${id}`);
  }
  async findByUid() {}
  async findByUserCode() {}
  async revokeByGrantId() {}
}

// The session that a user's token belongs to.
const sessions = new WeakMap();

let generation = 0;
async function newKeys() {
  generation += 1;
  return Promise.all(
    algorithms.map(async (alg) => {
      const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
      const jwk = await jose.exportJWK(privateKey);
      // As some providers do, the most common ones say no `alg`.
      return { ...jwk, use: 'sig', kid: `${alg.toLowerCase()}-${generation}`, ...(alg === 'RS256' ? {} : { alg }) };
    }),
  );
}

function provider(issuer, keys, logoutUri) {
  return new Provider(issuer, {
    adapter: Adapter,
    clients: clients(logoutUri),
    jwks: { keys },
    scopes: SCOPES.split(' '),
    clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'] },
    extraTokenClaims: (ctx, token) => (token.clientId === 'machine' ? { tenant: 'acme' } : sessions.get(token)),
    // The library's own fetch refuses addresses of this machine, where the tests are.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === 'api' },
      revocation: { enabled: true },
      backchannelLogout: { enabled: true },
      dPoP: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        // As a proxy that terminates TLS would tell it.
        getCertificate(ctx) {
          const pem = ctx.get('x-client-cert');
          return pem ? new X509Certificate(decodeURIComponent(pem)) : undefined;
        },
      },
      richAuthorizationRequests: {
        enabled: true,
        types: { payment_initiation: { validate() {} } },
        authorizationDetailsForGrantSource: (ctx) => ctx.oidc.params.authorization_details && JSON.parse(ctx.oidc.params.authorization_details),
        authorizationDetailsForAccessToken: (ctx) => ctx.oidc.params.authorization_details && JSON.parse(ctx.oidc.params.authorization_details),
        authorizationDetailsForIntrospection: (ctx, token) => token.rar,
      },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(ctx, resource) {
          const alg = jwtResource(resource);
          const ttl = { scope: SCOPES, audience: resource, accessTokenTTL: 300 };
          if (alg) return { ...ttl, accessTokenFormat: 'jwt', jwt: { sign: { alg } } };
          if (resource === OPAQUE) return { ...ttl, accessTokenFormat: 'opaque' };
          throw new errors.InvalidTarget();
        },
      },
    },
  });
}

const body = (request) =>
  new Promise((resolve, reject) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => resolve(new URLSearchParams(Buffer.concat(chunks).toString())));
    request.on('error', reject);
  });

let issuer;
let keys = await newKeys();
let current;
const serve = (logoutUri) => {
  const instance = provider(issuer, keys, logoutUri);
  const callback = instance.callback();
  current = { instance, callback };
};

const admin = {
  async rotate() {
    // The newest first: it signs.
    keys = [...(await newKeys()), ...keys];
    serve();
    return { kids: keys.map(({ kid }) => kid) };
  },
  async retire() {
    keys = keys.slice(0, algorithms.length);
    serve();
    return { kids: keys.map(({ kid }) => kid) };
  },
  async 'user-token'(form) {
    const { instance } = current;
    const client = await instance.Client.find('web');
    const resource = form.get('resource') ?? JWT;
    const token = new instance.AccessToken({
      client,
      accountId: form.get('sub'),
      grantId: 'none',
      gty: 'authorization_code',
      scope: form.get('scope') ?? SCOPES,
    });
    if (form.has('sid')) sessions.set(token, { sid: form.get('sid') });
    token.resourceServer = new instance.ResourceServer(resource, {
      scope: SCOPES,
      audience: resource,
      accessTokenTTL: 300,
      accessTokenFormat: 'jwt',
      jwt: { sign: { alg: jwtResource(resource) } },
    });
    return { access_token: await token.save() };
  },
  async logout(form) {
    serve(form.get('uri'));
    const client = await current.instance.Client.find('web');
    await client.backchannelLogout(form.get('sub'), form.get('sid'));
    return {};
  },
};

const server = createServer(async (request, response) => {
  const action = /^\/admin\/([a-z-]+)$/.exec(request.url)?.[1];
  if (!action) return current.callback(request, response);
  try {
    const said = await admin[action](await body(request));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(said));
  } catch (error) {
    response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error.stack));
  }
});
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  serve();
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
});
// Whoever started it holds the other end: it must not outlive him.
process.stdin.on('end', () => process.exit(0)).resume();
