// Makes a flow by React Flow and a scene by three.js, has them stored and published, and reads them back by the same libraries.
// Arguments: the address of the API; the key is in KEYWAY_KEY.
import assert from 'node:assert/strict';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { ReactFlowProvider, useReactFlow } from '@xyflow/react';
import * as three from 'three';

const [base] = process.argv.slice(2);

async function call(method, path, body) {
  const headers = { authorization: `Bearer ${process.env.KEYWAY_KEY}`, 'content-type': 'application/json' };
  const response = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

// What a library has made, as JSON carries it.
const carried = (value) => JSON.parse(JSON.stringify(value));

async function published(kind, sent) {
  const made = await call('POST', `/api/v1/${kind}`, sent);
  assert.deepEqual(made.document, sent.document);
  await call('POST', `/api/v1/${kind}/${made.id}/publish`, {});
  const response = await fetch(`${base}/content/default/${kind}/${made.slug}`);
  assert.equal(response.status, 200);
  return response.json();
}

function flow({ nodes, edges }) {
  let made;
  const Take = () => {
    made = useReactFlow().toObject();
    return null;
  };
  const take = createElement(Take);
  renderToString(createElement(ReactFlowProvider, { initialNodes: nodes, initialEdges: edges }, take));
  return carried(made);
}

const nodes = [
  { id: 'a', type: 'input', position: { x: 0.1 + 0.2, y: -1e-7 }, data: { label: 'A "quoted" ñ' } },
  { id: 'group', type: 'group', position: { x: 123.45678901234567, y: 1 / 3 }, data: {}, style: { width: 200 } },
  { id: 'b', position: { x: 10, y: 10 }, data: { label: 'B' }, parentId: 'group', extent: 'parent', draggable: false },
];
const edges = [{ id: 'a-b', source: 'a', target: 'b', animated: true, type: 'smoothstep', markerEnd: { type: 'arrow' } }];
const drawn = flow({ nodes, edges });
assert.equal(drawn.nodes.length, 3);
const served = await published('flows', { name: 'drawn', document: drawn });
assert.deepEqual(served, drawn);
assert.deepEqual(flow(served), drawn);

function scene() {
  const scene = new three.Scene();
  const material = new three.MeshStandardMaterial({ color: 0x3366ff, roughness: 1 / 3 });
  const mesh = new three.Mesh(new three.TorusKnotGeometry(1, 0.3, 32, 8), material);
  mesh.position.set(0.1 + 0.2, 1 / 3, -1e-7);
  mesh.quaternion.setFromEuler(new three.Euler(0.3, 0.2, 0.1));
  const geometry = new three.BufferGeometry();
  geometry.setAttribute('position', new three.Float32BufferAttribute([0, 0, 0, 1, 0, 0, 0, 1, 0], 3));
  const camera = new three.PerspectiveCamera(50, 16 / 9, 0.1, 1000);
  camera.position.set(0, 1, 5);
  const light = new three.DirectionalLight(0xffffff, 2.5);
  light.position.set(3, 4, 5);
  scene.add(mesh, new three.Points(geometry, new three.PointsMaterial({ size: 0.05 })), camera, light);
  scene.add(new three.AmbientLight(0x404040));
  scene.updateMatrixWorld();
  return carried(scene.toJSON());
}

// A light's target is made anew by whoever reads it, and three.js takes each matrix apart and puts it together again: its
// last digits change.
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'number') return Number(value.toPrecision(12));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== 'target').map(([name, it]) => [name, plain(it)]));
}

const modelled = scene();
const document = await published('scenes', { name: 'modelled', format: 'three', document: modelled });
assert.deepEqual(document, modelled);
const parsed = new three.ObjectLoader().parse(document);
parsed.updateMatrixWorld();
assert.deepEqual(plain(carried(parsed.toJSON())), plain(modelled));
