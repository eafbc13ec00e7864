/** Half of the seeds of every `npm test`. */
import { testSeeds } from './seeds.ts';

testSeeds(100, 100); // seed 199 signs with real Ed25519
