#!/usr/bin/env bash
# thousand.sh CONTROLLER.DB [N]: a thousand devices in 40 sites, all of one group, and a rollout over
# them that went badly on a few, as a controller stores them. It must not run.
set -euo pipefail
n=${2:-1000} now=$(date +%s%3N)
sqlite3 "$1" <<SQL
BEGIN;
CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < $n)
  SELECT i, printf('sim-%04d', i) AS name, printf('simdevice%07d', i) AS id,
  json_extract('["lyon","paris","london","berlin","madrid","oslo","rome","vienna","porto","turin"]',
    '\$[' || ((i * i / 7) % 10) || ']') || CASE (i % 4) WHEN 0 THEN '' ELSE '-' || (i % 4) END AS site,
  CASE WHEN i % 97 = 0 THEN 7 WHEN i % 193 = 0 THEN 8 ELSE 6 END AS state FROM c;
INSERT INTO devices (id, name, public_key, enrolled_ms, certificate_until_ms, agent_version, address, facts_json, seen_ms)
  SELECT id, name, id, $now - 86400000, $now + 7776000000, '0.1.0', '192.0.2.99',
  json_object('inventory', json_object('board', CASE i % 3 WHEN 0 THEN 'raspberrypi4' WHEN 1 THEN 'raspberrypi3' ELSE 'x86-64' END,
    'memory_total_bytes', '1073741824', 'memory_free_bytes', CAST(300000000 + i * 1000 AS TEXT),
    'monitors', json_array(json_object('name', 'spt', 'usable', json('true')))),
    'apps', json_array(json_object('app', 'dns', 'live_slot', 'A', 'live_release', CASE state WHEN 6 THEN '3' ELSE '1' END, 'state', 'HEALTHY',
      'a', json_object('state', 'GOOD', 'release', CASE state WHEN 6 THEN '3' ELSE '1' END)))), $now - i * 60000 FROM n;
INSERT INTO device_groups SELECT id, 'field' FROM n;
INSERT INTO device_labels SELECT id, 'site', site FROM n;
INSERT INTO device_labels SELECT id, 'role', CASE i % 2 WHEN 0 THEN 'resolver' ELSE 'gateway' END FROM n;
INSERT INTO rollouts SELECT 1000, 'dns', 2, 1, 3, 600000, '', json_object('id', 'r-1000', 'kind', 'KIND_PUSH', 'app', 'dns',
  'release', '3', 'previous_release', '1', 'selector', 'field', 'by', 'ana', 'state', 'ROLLOUT_SUCCEEDED',
  'created_ms', CAST($now - 3600000 AS TEXT), 'ended_ms', CAST($now - 3500000 AS TEXT),
  'verdict', 'dns 3 is live on most of field', 'counts', json_object('devices', $n,
  'healthy', (SELECT COUNT(*) FROM n WHERE state = 6), 'reverted', (SELECT COUNT(*) FROM n WHERE state = 7),
  'failed', (SELECT COUNT(*) FROM n WHERE state = 8)));
INSERT INTO rollout_devices (rollout, device_id, app, attempt, state, ended, deadline_ms, before_wanted, before_release, before_run, row_json)
  SELECT 1000, id, 'dns', 'attempt' || id, state, 1, 0, 0, 1, 1,
  json_object('device', name, 'wave', 1, 'let_in', json('true'), 'state', CASE state WHEN 6 THEN 'HEALTHY' WHEN 7 THEN 'REVERTED' ELSE 'FAILED' END,
  'online', json('true'), 'live_release', CASE state WHEN 6 THEN '3' ELSE '1' END, 'monitor', 'spt',
  'started_ms', CAST($now - 3600000 + i * 90 AS TEXT), 'ended_ms', CAST($now - 3599000 + i * 95 AS TEXT),
  'detail', CASE state WHEN 6 THEN 'dns 3/3 in 4 ms' ELSE '' END,
  'why', CASE state WHEN 6 THEN NULL WHEN 7 THEN json_object('text', 'no answer: dns www.example.test A, 0 of 18 probes', 'fingerprint', 'a41c09f2',
     'console_tail', json_array('dns: zone example.test: 12 records', 'dns: listening on 10.77.0.3:5353')) ELSE json_object('text', '6 MiB free, dns needs 24 MiB', 'fingerprint', '51d04b12') END) FROM n;
COMMIT;
SQL
