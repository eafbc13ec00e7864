/** The other half of the seeds of every `npm test`. */
import { testSeeds } from './seeds.ts';

testSeeds(200, 100); // seed 299 signs with real Ed25519
