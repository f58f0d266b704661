import { iterationOf, type OpenLoopScenario } from './open-loop.ts';

const scenario = JSON.parse(open('../scenarios/steady.json')) as OpenLoopScenario;

export const options = scenario.options;
export default iterationOf(scenario);
