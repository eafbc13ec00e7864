/** The table of all routes, checked as a whole. */
import { checkRoutes, type Route } from '../route.ts';
import { accessRoutes } from './access.ts';
import { chainRoutes } from './chain.ts';
import { consoleRoutes } from './console.ts';
import { contractRoutes } from './contracts.ts';
import { governanceRoutes } from './governance.ts';
import { networkRoutes } from './network.ts';
import { recordRoutes } from './records.ts';
import { registryRoutes } from './registry.ts';

/** @throws TypeError when the table does not hold together */
export function allRoutes(): readonly Route[] {
  return checkRoutes([
    ...recordRoutes,
    ...chainRoutes,
    ...contractRoutes,
    ...governanceRoutes,
    ...registryRoutes,
    ...networkRoutes,
    ...accessRoutes,
    ...consoleRoutes,
  ]);
}
