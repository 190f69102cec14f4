// What the browser keeps for this page. One that keeps nothing, as some are told to, throws at each access: then it lasts
// as long as the page. `area`: "localStorage" or "sessionStorage".
export function kept(area, key) {
  try {
    return window[area].getItem(key);
  } catch {
    return null;
  }
}

export function keep(area, key, value) {
  try {
    window[area].setItem(key, value);
  } catch {
    // nothing is lost that is on the page
  }
}
