// A real OpenID provider for tests, on loopback and in memory.
//
//   node provider.mjs CONFIG     CONFIG is JSON, or a file with JSON, as below
//
// It prints one line of JSON, {"issuer": "http://127.0.0.1:PORT"}, once it can be asked, and
// ends when its standard input does: whoever started it cannot leave it behind.
//
// {
//   "port": 0,                  a free one, if it is 0 or left out
//   "clients": [{ "client_id": "daas", "client_secret": "…", "redirect_uris": ["…"],
//                 "post_logout_redirect_uris": ["…"] }],
//   "people": [{ "login": "ada", "password": "…", "claims": { "sub": "1", "groups": ["…"] } }],
//   "claimsInToken": false,     whether the ID token has all claims, or userinfo alone
//   "consent": true,            whether people are asked for their consent
//   "record": "…"               a file for what is given for codes: a line of JSON for each
// }
//
// Its pages are plain forms: #login and #password with #log-in, then #allow, or #deny on both.

import { generateKeyPairSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { Provider, interactionPolicy } from 'oidc-provider';

const BODY_MAX = 16 * 1024;

// That one line is all that is printed, so that nobody has to read on.
console.log = console.error;
console.info = console.error;

function configuration(argument) {
  if (!argument) throw new Error('usage: node provider.mjs CONFIG');
  return JSON.parse(argument.startsWith('{') ? argument : readFileSync(argument, 'utf8'));
}

const config = { port: 0, people: [], claimsInToken: false, consent: true, ...configuration(process.argv[2]) };

function keys() {
  const jwk = (kid, type, options) => ({
    ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
    kid,
    use: 'sig',
  });
  return [
    jwk('rsa', 'rsa', { modulusLength: 2048 }),
    jwk('p256', 'ec', { namedCurve: 'P-256' }),
    jwk('p384', 'ec', { namedCurve: 'P-384' }),
    jwk('ed25519', 'ed25519'),
  ];
}

function person(login, password) {
  const found = config.people.find((one) => one.login === login);
  const [given, wanted] = [Buffer.from(password), Buffer.from(found?.password ?? '')];
  return found && given.length === wanted.length && timingSafeEqual(given, wanted) ? found : undefined;
}

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => String(text).replace(/[&<>"']/g, (c) => escapes[c]);
const page = (title, body) =>
  `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}</html>`;

function policy() {
  const base = interactionPolicy.base();
  if (!config.consent) base.remove('consent');
  return base;
}

// Consent that nobody is asked for is given to all that is asked for.
async function grantEverything(ctx) {
  const { oidc } = ctx;
  const grant = new oidc.provider.Grant({
    accountId: oidc.session.accountId,
    clientId: oidc.client.clientId,
  });
  grant.addOIDCScope('openid profile email groups');
  await grant.save();
  return grant;
}

function settings() {
  return {
    clients: config.clients,
    jwks: { keys: keys() },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    conformIdTokenClaims: !config.claimsInToken,
    enabledJWA: { idTokenSigningAlgValues: ['HS256', 'RS256', 'RS512', 'PS256', 'PS512', 'ES256', 'ES384', 'EdDSA'] },
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource(ctx, form) {
          const button = '<button id="log-out" form="op.logoutForm" name="logout" value="yes">Log out</button>';
          ctx.body = page('Log out', form + button);
        },
        postLogoutSuccessSource(ctx) {
          ctx.body = page('Logged out', '');
        },
      },
    },
    renderError(ctx, out) {
      ctx.type = 'html';
      ctx.body = page('Error', `<p id="error">${escape(out.error)}: ${escape(out.error_description)}</p>`);
    },
    interactions: {
      policy: policy(),
      url: (ctx, interaction) => `/interaction/${interaction.uid}`,
    },
    ...(config.consent ? {} : { loadExistingGrant: grantEverything }),
    findAccount(ctx, sub) {
      const found = config.people.find((one) => one.claims.sub === sub);
      return found && { accountId: sub, claims: () => found.claims };
    },
  };
}

const form = (uid, body) =>
  `<form method="post" action="/interaction/${uid}">${body}` +
  '<button id="deny" name="answer" value="deny" formnovalidate>Deny</button></form>';

function logInPage({ uid }, failed) {
  const body =
    '<input id="login" name="login" required autofocus>' +
    '<input id="password" name="password" type="password" required>' +
    '<button id="log-in" name="answer" value="log-in">Log in</button>';
  return page('Log in', (failed ? '<p id="failed">This is wrong.</p>' : '') + form(uid, body));
}

function consentPage({ uid, params, prompt }) {
  const scopes = (prompt.details.missingOIDCScope ?? []).map((scope) => `<li>${escape(scope)}</li>`);
  const body = `<button id="allow" name="answer" value="allow" autofocus>Allow</button>`;
  return page('Consent', `<p>${escape(params.client_id)} wants:</p><ul>${scopes.join('')}</ul>` + form(uid, body));
}

async function posted(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > BODY_MAX) throw new Error('the form is too long');
  }
  return new URLSearchParams(body);
}

async function consent(provider, { prompt, params, session, grantId }) {
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingOIDCClaims } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  return { consent: { grantId: await grant.save() } };
}

function show(response, status, body) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(body);
}

async function interact(provider, request, response) {
  const details = await provider.interactionDetails(request, response);
  const isLogIn = details.prompt.name === 'login';
  if (request.method !== 'POST') {
    show(response, 200, isLogIn ? logInPage(details) : consentPage(details));
    return;
  }
  const answers = await posted(request);
  const finish = (result) => provider.interactionFinished(request, response, result);
  if (answers.get('answer') === 'deny') {
    await finish({ error: 'access_denied', error_description: 'the person said no' });
  } else if (!isLogIn) {
    await finish(await consent(provider, details));
  } else {
    const found = person(answers.get('login') ?? '', answers.get('password') ?? '');
    if (found) await finish({ login: { accountId: found.claims.sub } });
    else show(response, 401, logInPage(details, true));
  }
}

// What crosses the wire where no browser sees it, for tests that look for it elsewhere.
function recordGrant({ oidc: { params }, body }) {
  const { code, code_verifier } = params;
  const { id_token, access_token } = body;
  appendFileSync(config.record, `${JSON.stringify({ code, code_verifier, id_token, access_token })}\n`);
}

const server = createServer();
server.listen(config.port, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, settings());
  if (config.record) provider.on('grant.success', recordGrant);
  const rest = provider.callback();
  server.on('request', (request, response) => {
    if (!request.url.startsWith('/interaction/')) {
      rest(request, response);
      return;
    }
    interact(provider, request, response).catch((error) => {
      console.error(error);
      show(response, 400, page('Error', '<p id="error">This log-in is over.</p>'));
    });
  });
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
