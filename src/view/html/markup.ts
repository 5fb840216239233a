/** Text that is HTML, SVG or XML already. */
export interface Markup {
  readonly markup: string
}

type Value = string | number | Markup | undefined | false | readonly Value[]

/**
 * Markup from a template: every value in it is escaped, unless it is markup itself. Lists are joined, nothing stays of
 * `undefined` and `false`. So nothing that a host said can become markup.
 */
export function markup(texts: TemplateStringsArray, ...values: Value[]): Markup {
  return { markup: texts.reduce((all, text, i) => all + textOf(values[i - 1]) + text) }
}

function textOf(value: Value): string {
  if (value === undefined || value === false) return ''
  if (Array.isArray(value)) return value.map(textOf).join('')
  return typeof value === 'object' ? (value as Markup).markup : escaped(String(value))
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/**
 * Text for an element or a quoted attribute, in HTML and in XML 1.0. What XML cannot hold is shown as its picture (U+2400 and
 * on: an escape is ␛), and a half of a surrogate pair as U+FFFD.
 */
function escaped(text: string): string {
  return text
    .replace(/[\p{Surrogate}\ufffe\uffff]/gu, '\ufffd')
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (sign) => String.fromCharCode(0x2400 + sign.charCodeAt(0)))
    .replace(/[\u007f-\u009f]/g, (sign) => (sign === '\u007f' ? '\u2421' : '\ufffd'))
    .replace(/[&<>"']/g, (sign) => entities[sign] as string)
}
