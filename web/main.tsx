import { render } from 'preact';
import { App } from './app.tsx';
import { startLive } from './live/connection.ts';
import { currentTheme, setTheme } from './theme.ts';

/** The page of `/`. */

setTheme(currentTheme());
startLive();
const root = document.querySelector('#app');
if (root !== null) render(<App />, root);
