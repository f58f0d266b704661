import { iterationOf, type OpenLoopScenario } from './open-loop.ts';

const scenario = JSON.parse(open('../scenarios/crowd.json')) as OpenLoopScenario;

export const options = scenario.options;
export default iterationOf(scenario);
