// A real OpenID provider for tests: signs whoever the last `/control?account=NAME` named in without
// asking, listens on a free port of loopback, and ends when its standard input does.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.argv[2] + '/');
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const people = {
  alice: { preferred_username: 'alice', email: 'alice@people.example', groups: ['admins', 'devs'] },
  bob: { preferred_username: 'bob', email: 'bob@people.example', groups: ['devs'] },
  eve: { preferred_username: '<b>eve</b>"\u202e', email: 'eve@people.example', groups: 'guests' },
};
let next = 'alice';

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'mpak',
      client_secret: 'a secret of sixteen or more bytes',
      // Native: the port of a redirect to loopback is not compared.
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/auth/callback'],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  pkce: { required: () => true },
  scopes: ['openid', 'profile', 'email', 'groups'],
  claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email'], groups: ['groups'] },
  features: { devInteractions: { enabled: false } },
  cookies: { keys: ['only for tests'] },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope('openid profile email groups');
    await grant.save();
    return grant;
  },
});

const answer = provider.callback();
server.on('request', (request, response) => {
  serve(request, response).catch((error) => {
    response.statusCode = 500;
    response.end(String(error.stack));
  });
});

async function serve(request, response) {
  const url = new URL(request.url, issuer);
  if (url.pathname === '/control') {
    next = url.searchParams.get('account');
    return response.end(next);
  }
  if (url.pathname.startsWith('/interaction/')) {
    const result = people[next] ? { login: { accountId: next }, consent: {} } : { error: 'access_denied' };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  return answer(request, response);
}
console.log(issuer);
process.stdin.on('end', () => process.exit(0)).resume();
