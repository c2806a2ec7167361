// oidc-provider with one client for each algorithm that it signs with. `POST /again` builds it anew with other keys and
// the settings in the body; argv: port, redirect address.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const [port, redirect] = process.argv.slice(2);
const issuer = `http://localhost:${port}`;
const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'];

function key(kind, options, kid) {
  return { ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), use: 'sig', kid };
}

function client(algorithm) {
  return {
    client_id: `kw-${algorithm}`,
    client_secret: 'a secret+/%',
    redirect_uris: [redirect],
    response_types: ['code'],
    grant_types: ['authorization_code'],
    id_token_signed_response_alg: algorithm,
  };
}

// A person is what its login says: `unverified.` and `text.` before the address, groups behind a plus sign.
function claims(login) {
  const [, group] = /\+(\w+)@/.exec(login) ?? [];
  const email_verified = login.startsWith('unverified.') ? false : login.startsWith('text.') ? 'true' : true;
  const email = login.replace(/^moved\./, '');
  return { sub: login, email, email_verified, name: 'Ana', ...(group && { groups: [group] }) };
}

const now = Date.now;

// Its clock is `late` seconds behind, and its ID tokens hold for a minute.
function build({ round = 0, late = 0, conform = true } = {}) {
  Date.now = () => now() - late * 1000;
  const made = new Provider(issuer, {
    clients: algorithms.map(client),
    jwks: {
      keys: [
        key('rsa', { modulusLength: 2048 }, `r${round}`),
        key('ec', { namedCurve: 'P-256' }, `e${round}`),
        key('ed25519', {}, `d${round}`),
      ],
    },
    enabledJWA: { idTokenSigningAlgValues: algorithms },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
    conformIdTokenClaims: conform,
    findAccount: (_, id) => ({ accountId: id, claims: () => claims(id) }),
    pkce: { required: () => true },
    cookies: { keys: ['of a test'] },
    ttl: { IdToken: 60 },
    features: { devInteractions: { enabled: true } },
    // Nobody is asked for consent.
    async loadExistingGrant(context) {
      const { client, session, provider } = context.oidc;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  });
  return made.callback();
}

let handler = build();
createServer((request, response) => {
  if (request.url !== '/again') return handler(request, response);
  let body = '';
  request.on('data', (piece) => (body += piece));
  request.on('end', () => {
    handler = build(JSON.parse(body));
    response.end();
  });
}).listen(Number(port), 'localhost');
