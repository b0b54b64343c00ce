import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { language, t } from './lib/text';
import { applyTheme, loadTheme } from './lib/theme';

applyTheme(loadTheme());
document.documentElement.lang = language;
document.title = t.brand;

const target = document.getElementById('app');
if (target) mount(App, { target });
