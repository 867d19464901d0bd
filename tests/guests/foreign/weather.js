// What others publish for hosts of MCP tools, made as they make it: plain functions, an asynchronous one among
// them, the engine's own `fetch`, a setting for where to ask. Nothing of it knows this host.

import { get } from "wasi:config/store@0.2.0-rc.1";

const PUBLIC = "https://weather.example";

export async function getWeather(city) {
  const key = get("WEATHER_KEY");
  if (key === undefined) throw "WEATHER_KEY is not set";
  let answer;
  try {
    answer = await fetch(`${get("WEATHER_URL") ?? PUBLIC}/weather?city=${encodeURIComponent(city)}&key=${key}`);
  } catch (error) {
    throw error.message;
  }
  if (!answer.ok) throw `the weather of ${city} is not known: ${answer.status}`;
  const { celsius } = await answer.json();
  return `${celsius} degrees`;
}
