/** Proof of the person that the server wants while a page is open: a new session, or the password once more. */
import { store } from './store.ts';

export type Wanted = 'sign-in' | 'step-up';

export interface Question {
  wanted: Wanted;
  answer: (isProved: boolean) => void;
}

const question = store<Question | null>(null);
let asked: Promise<boolean> | null = null;
let isSignedIn = false;

export const useQuestion = question.use;
export const currentQuestion = question.get;

/** Notes whether there is a session to be lost: without one, the page of the sign-in asks. */
export function noteSession(is: boolean) {
  isSignedIn = is;
}

/** Asks for a proof, once for all requests that wait for it; `false`: there is none to be had. */
export async function prove(wanted: Wanted): Promise<boolean> {
  if (!isSignedIn) return false;
  asked ??= new Promise<boolean>((resolve) => {
    question.set({ wanted, answer: resolve });
  }).finally(() => {
    asked = null;
    question.set(null);
  });
  return asked;
}
