import { styleText } from 'node:util'

/** A text in a colour, where colours are wanted. */
export function paint(color: boolean, style: 'red' | 'green' | 'yellow' | 'dim' | 'bold', text: string): string {
  return color ? styleText(style, text, { validateStream: false }) : text
}
