// Reads a repository of ours with tuf-js, and lets tuf-client read one that tuf-js's models made.
//   node js_peer.cjs TUF_CLIENT OUR_REPOSITORY WORK      with NODE_PATH where tuf-js lies
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');
const { spawn } = require('child_process');
const { canonicalize } = require('@tufjs/canonical-json');
const models = require('@tufjs/models');
const { Updater } = require('tuf-js');

const [client, ours, work] = process.argv.slice(2);
let passed = 0;
const ok = (what) => console.log(`ok ${++passed} - ${what}`);
const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');
const folder = (name) => {
  const made = path.join(work, name);
  fs.mkdirSync(made, { recursive: true });
  return made;
};

// Serves what `answer` gives for a path, or 404.
function serve(answer) {
  const server = http.createServer((request, response) => {
    const body = answer(decodeURIComponent(request.url));
    response.writeHead(body === undefined ? 404 : 200);
    response.end(body);
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => {
    done({ server, url: `http://127.0.0.1:${server.address().port}` });
  }));
}

async function readOurs() {
  const { server, url } = await serve((where) => {
    const [kind, rest] = [where.split('/')[1], where.split('/').slice(2).join('!')];
    const file = path.join(ours, kind, rest);
    return fs.existsSync(file) ? fs.readFileSync(file) : undefined;
  });
  const metadataDir = folder('js-metadata');
  fs.copyFileSync(path.join(ours, 'metadata', '1.root.json'), path.join(metadataDir, 'root.json'));
  const updater = new Updater({
    metadataDir, metadataBaseUrl: `${url}/metadata`,
    targetDir: folder('js-targets'), targetBaseUrl: `${url}/targets/`,
  });
  await updater.refresh();
  const root = JSON.parse(fs.readFileSync(path.join(metadataDir, 'root.json')));
  assert.strictEqual(root.signed.version, 2);
  ok('tuf-js follows our root to the next one, two of three keys each');
  const manifest = await updater.getTargetInfo('apps/dns/1/manifest');
  assert.ok(manifest);
  for (const [name, content] of [
    ['apps/dns/1/manifest', 'the manifest of dns 1'],
    [`apps/dns/blobs/${sha256('the image of dns 1')}`, 'the image of dns 1'],
  ]) {
    const info = await updater.getTargetInfo(name);
    assert.ok(info, name);
    const file = await updater.downloadTarget(info, path.join(work, 'brought'));
    assert.strictEqual(fs.readFileSync(file, 'utf8'), content);
    ok(`tuf-js finds, brings and verifies ${name.slice(0, 24)}`);
  }
  assert.strictEqual(await updater.getTargetInfo('apps/dns/2/manifest'), undefined);
  assert.strictEqual(await updater.getTargetInfo('apps/mail/1/manifest'), undefined);
  ok('tuf-js finds nothing that we did not sign');
  server.close();
}

// A key as TUF lists it, and its signer.
function makeKey(type) {
  const kinds = {
    ed25519: ['ed25519', {}, 'ed25519', undefined],
    ecdsa: ['ec', { namedCurve: 'P-256' }, 'ecdsa-sha2-nistp256', undefined],
    rsa: ['rsa', { modulusLength: 2048 }, 'rsassa-pss-sha256', crypto.constants.RSA_PKCS1_PSS_PADDING],
  };
  const [kind, options, scheme, padding] = kinds[type];
  const { publicKey, privateKey } = crypto.generateKeyPairSync(kind, options);
  const value = type === 'ed25519'
    ? publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')
    : publicKey.export({ format: 'pem', type: 'spki' });
  const plain = { keytype: type, scheme, keyval: { public: value } };
  const keyID = sha256(canonicalize(plain));
  const key = new models.Key({ keyID, keyType: type, scheme, keyVal: plain.keyval });
  const sign = (data) => new models.Signature({
    keyID,
    sig: crypto.sign(type === 'ed25519' ? undefined : 'sha256', data,
                     { key: privateKey, padding }).toString('hex'),
  });
  return { key, sign };
}

// {url path: bytes} of a repository with delegations of both kinds; `next` adds a second root.
function makeRepository() {
  const expires = new Date(Date.now() + 86400e3).toISOString().replace(/\.\d+Z/, 'Z');
  const files = {};
  const keys = {
    root: [makeKey('ed25519'), makeKey('rsa')], timestamp: [makeKey('ecdsa')],
    snapshot: [makeKey('rsa')], targets: [makeKey('ed25519'), makeKey('ecdsa')],
    team: [makeKey('rsa')], bin: [makeKey('ecdsa')],
  };
  const signed = (value, signers) => {
    const metadata = new models.Metadata(value);
    signers.forEach((each) => metadata.sign(each.sign));
    return Buffer.from(JSON.stringify(metadata.toJSON()));
  };
  const meta = (bytes, version) => new models.MetaFile({
    version, length: bytes.length, hashes: { sha256: sha256(bytes) },
  });
  const addTarget = (role, name, data) => {
    const hashes = { sha256: sha256(data), sha512: crypto.createHash('sha512').update(data).digest('hex') };
    role.addTarget(new models.TargetFile({ length: data.length, path: name, hashes,
                                           unrecognizedFields: { custom: { from: 'tuf-js' } } }));
    const cut = name.lastIndexOf('/') + 1;
    files[`/targets/${name.slice(0, cut)}${hashes.sha256}.${name.slice(cut)}`] = Buffer.from(data);
  };

  const root = new models.Root({ version: 1, expires, consistentSnapshot: true });
  for (const role of ['root', 'timestamp', 'snapshot', 'targets']) {
    keys[role].forEach((each) => root.addKey(each.key, role));
  }
  root.roles.root.threshold = root.roles.targets.threshold = 2;
  files['/metadata/1.root.json'] = signed(root, keys.root);

  const top = new models.Targets({ version: 3, expires });
  addTarget(top, 'näme with space.txt', 'from the top');
  const line = (name, rest) => (
    { name, keyids: keys[name].map((each) => each.key.keyID), threshold: 1, ...rest });
  const delegations = {
    keys: Object.fromEntries([...keys.team, ...keys.bin].map((e) => [e.key.keyID, e.key.toJSON()])),
    roles: [
      line('team', { terminating: true, paths: ['team/*/*.bin'] }),
      line('bin', { terminating: false, path_hash_prefixes: [sha256('hashed').slice(0, 4)] }),
    ],
  };
  const targets = models.Targets.fromJSON({ ...top.toJSON(), delegations });
  const team = new models.Targets({ version: 1, expires });
  addTarget(team, 'team/a/x.bin', 'from the team');
  addTarget(team, 'other/x.bin', 'not theirs to give');
  const bin = new models.Targets({ version: 1, expires });
  addTarget(bin, 'hashed', 'from the bin');

  const roles = { targets: signed(targets, keys.targets), team: signed(team, keys.team),
                  bin: signed(bin, keys.bin) };
  files['/metadata/3.targets.json'] = roles.targets;
  files['/metadata/1.team.json'] = roles.team;
  files['/metadata/1.bin.json'] = roles.bin;
  const snapshot = signed(new models.Snapshot({ version: 7, expires, meta: {
    'targets.json': meta(roles.targets, 3), 'team.json': meta(roles.team, 1),
    'bin.json': meta(roles.bin, 1),
  } }), keys.snapshot);
  files['/metadata/7.snapshot.json'] = snapshot;
  files['/metadata/timestamp.json'] = signed(new models.Timestamp({
    version: 9, expires, snapshotMeta: meta(snapshot, 7) }), keys.timestamp);
  return { files, root, keys, signed };
}

function run(...words) {
  return new Promise((done) => {
    spawn(client, words, { stdio: 'inherit' }).on('close', (code) => done(code));
  });
}

async function readTheirs() {
  const repository = makeRepository();
  const { server, url } = await serve((where) => repository.files[where]);
  const metadataDir = folder('our-metadata');
  const targetDir = folder('our-targets');
  const first = path.join(work, 'first.json');
  fs.writeFileSync(first, repository.files['/metadata/1.root.json']);
  const download = (name) => run('--metadata-dir', metadataDir, '--metadata-url', `${url}/metadata/`,
    '--target-name', name, '--target-dir', targetDir, '--target-base-url', `${url}/targets/`, 'download');
  assert.strictEqual(await run('--metadata-dir', metadataDir, 'init', first), 0);
  for (const [name, content] of [['näme with space.txt', 'from the top'],
    ['team/a/x.bin', 'from the team'], ['hashed', 'from the bin']]) {
    assert.strictEqual(await download(name), 0, name);
    const file = path.join(targetDir, encodeURIComponent(name));
    assert.strictEqual(fs.readFileSync(file, 'utf8'), content);
    ok(`tuf-client finds, brings and verifies ${name} of tuf-js's repository`);
  }
  for (const name of ['other/x.bin', 'team/x.bin', 'nothing']) {
    assert.strictEqual(await download(name), 1, name);
  }
  ok('tuf-client finds nothing that tuf-js did not delegate');

  repository.root.version = 2;
  repository.files['/metadata/2.root.json'] = repository.signed(repository.root, [repository.keys.root[1]]);
  assert.strictEqual(await download('hashed'), 1);
  ok("tuf-client refuses tuf-js's next root with one of two signatures");
  repository.files['/metadata/2.root.json'] = repository.signed(repository.root, repository.keys.root);
  assert.strictEqual(await download('hashed'), 0);
  ok("tuf-client takes tuf-js's next root with both");
  server.close();
}

readOurs().then(readTheirs).then(() => console.log(`${passed} passed, 0 failed`), (error) => {
  console.error(error);
  process.exit(1);
});
