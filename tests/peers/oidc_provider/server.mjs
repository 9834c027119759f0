// An OpenID-certified provider (npm oidc-provider) for the tests: `node server.mjs '{"port", "audience", "clients"}'`.
//
// `clients` are {id: {secret, groups}}; each gets bearers for itself (RFC 6749, 4.4), its id as `sub`. The `resource`
// (RFC 8707) that is asked for chooses the bearer's form: `urn:bearer:ALG`, `urn:bearer:opaque`, `urn:bearer:elsewhere`
// (a JWT for somebody else). With a DPoP proof beside the request it is bound to the proof's key (RFC 9449).
//
// A client with a `redirect` is a public one that people sign in by (code flow, PKCE): as any of `clients`, with any
// password, at the provider's own pages.

import { generateKeyPairSync } from 'node:crypto';

// The provider uses one function that node 20 does not have yet.
URL.parse ??= (text, base) => (URL.canParse(text, base) ? new URL(text, base) : null);
const { Provider, errors } = await import('oidc-provider');

const LIFETIME = 600; // seconds
const ALGORITHMS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

const { port, audience, clients } = JSON.parse(process.argv[2]);

const keys = Object.entries(ALGORITHMS).map(([alg, [kind, options]]) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }),
  alg,
  use: 'sig',
  kid: `of-${alg}`,
}));

function resource(name) {
  const form = name.replace(/^urn:bearer:/, '');
  const common = { scope: 'chat', audience, accessTokenTTL: LIFETIME };
  if (form === 'opaque') return { ...common, accessTokenFormat: 'opaque' };
  const jwt = { ...common, accessTokenFormat: 'jwt' };
  if (form === 'elsewhere') return { ...jwt, audience: 'somebody-else', jwt: { sign: { alg: 'RS256' } } };
  if (form in ALGORITHMS) return { ...jwt, jwt: { sign: { alg: form } } };
  throw new errors.InvalidTarget();
}

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys },
  clients: Object.entries(clients).map(([id, { secret, redirect }]) => (redirect ? {
    client_id: id,
    application_type: 'native',
    grant_types: ['authorization_code'],
    redirect_uris: [redirect],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  } : {
    client_id: id,
    client_secret: secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_basic',
  })),
  scopes: ['openid', 'chat'],
  ttl: { ClientCredentials: LIFETIME },
  features: {
    devInteractions: { enabled: Object.values(clients).some(({ redirect }) => redirect) },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === 'gateway' },
    revocation: { enabled: true, allowedPolicy: (ctx, client, token) => client.clientId === token.clientId },
    resourceIndicators: { enabled: true, getResourceServerInfo: (ctx, name) => resource(name) },
  },
  // The introspection of a bearer that a client got for itself has no `sub` of its own.
  extraTokenClaims: (ctx, token) => (token.accountId
    ? { groups: clients[token.accountId].groups }
    : { sub: token.clientId, groups: clients[token.clientId].groups }),
});
provider.on('server_error', (ctx, error) => console.error(error));

const server = provider.listen(port, '127.0.0.1', () => console.log('ready'));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
