import { Trans, useLingui } from '@lingui/react/macro';
import { Play, Square } from 'lucide-react';
import { useEffect, useRef, useState, type SubmitEvent } from 'react';
import { useMay } from '../frame/me.ts';
import { Button } from '../parts/button.tsx';
import { AreaField, SecretField, TextField } from '../parts/field.tsx';
import { Page } from '../parts/page.tsx';
import { Failure } from '../parts/states.tsx';
import { ask, modelsOf, type Head } from './playground/ask.ts';
import { LogRow } from './playground/log-row.tsx';

/** Answer so far. */
interface Answer {
  head: Head | null;
  text: string;
  /** Reason why there is no more of it. */
  error: string | null;
  isOver: boolean;
}

const NOTHING: Answer = { head: null, text: '', error: null, isOver: false };

/** One prompt through a virtual key, and beside it what the log says of it. The key is kept nowhere. */
export function PlaygroundPage() {
  const { t } = useLingui();
  const may = useMay();
  const [key, setKey] = useState('');
  const [model, setModel] = useState('');
  const [text, setText] = useState('');
  const [models, setModels] = useState<string[]>([]);
  const [answer, setAnswer] = useState<Answer | null>(null);
  const controller = useRef<AbortController | null>(null);
  useEffect(() => () => controller.current?.abort(), []);
  const isBusy = answer !== null && !answer.isOver;
  const add = (change: (before: Answer) => Partial<Answer>) =>
    setAnswer((before) => ({ ...(before ?? NOTHING), ...change(before ?? NOTHING) }));

  async function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    if (isBusy) return;
    const own = new AbortController();
    controller.current = own;
    setAnswer(NOTHING);
    try {
      const callbacks = {
        onHead: (head: Head) => add(() => ({ head })),
        onText: (more: string) => add((before) => ({ text: before.text + more })),
      };
      const error = await ask({ key: key.trim(), model: model.trim(), text }, callbacks, own.signal);
      add(() => ({ error, isOver: true }));
    } catch (reason) {
      const why = own.signal.aborted ? t`You have stopped it.` : String(reason);
      add(() => ({ error: why, isOver: true }));
    }
  }

  async function offerModels() {
    if (!key.trim().startsWith('kw_')) return;
    setModels(await modelsOf(key.trim()).catch(() => []));
  }

  return (
    <Page
      title={<Trans>Playground</Trans>}
      note={<Trans>One prompt, as an application sends it: it costs what it costs, and counts in every limit.</Trans>}
    >
      <div className="grid items-start gap-6 lg:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-4">
          <form onSubmit={(event) => void onSubmit(event)} className="flex flex-col gap-3.5">
            <SecretField
              label={<Trans>Virtual key</Trans>}
              hint={t`It is kept nowhere: leaving this page forgets it.`}
              name="virtual_key"
              placeholder="kw_live_…"
              value={key}
              required
              onChange={(event) => setKey(event.target.value)}
              onBlur={() => void offerModels()}
            />
            <TextField
              label={<Trans>Model</Trans>}
              name="model"
              autoComplete="off"
              spellCheck={false}
              list="playground-models"
              placeholder="gpt-4o-mini"
              maxLength={200}
              value={model}
              required
              onChange={(event) => setModel(event.target.value)}
            />
            <datalist id="playground-models">
              {models.map((name) => (
                <option key={name} value={name} />
              ))}
            </datalist>
            <AreaField
              label={<Trans>Prompt</Trans>}
              name="prompt"
              value={text}
              required
              onChange={(event) => setText(event.target.value)}
            />
            <div className="flex gap-2">
              <Button type="submit" look="primary" isBusy={isBusy}>
                <Play size={14} aria-hidden />
                <Trans>Send</Trans>
              </Button>
              {isBusy && (
                <Button onClick={() => controller.current?.abort()}>
                  <Square size={13} aria-hidden />
                  <Trans>Stop</Trans>
                </Button>
              )}
            </div>
          </form>
          {answer !== null && <Answered answer={answer} />}
        </div>
        <section aria-labelledby="log" className="flex min-w-0 flex-col gap-3">
          <h2 id="log" className="text-large font-semibold">
            <Trans>In the request log</Trans>
          </h2>
          {answer?.isOver && answer.head?.requestId && may('requests.read') ? (
            <LogRow key={answer.head.requestId} id={answer.head.requestId} />
          ) : (
            <p className="text-soft">
              <Trans>When the call has ended, what is written down of it stands here. Its text is never.</Trans>
            </p>
          )}
        </section>
      </div>
    </Page>
  );
}

function Answered({ answer: { head, text, error, isOver } }: { answer: Answer }) {
  return (
    <section aria-labelledby="answer" className="flex flex-col gap-2">
      <h2 id="answer" className="text-large font-semibold">
        <Trans>Answer</Trans>
      </h2>
      {text !== '' && (
        <div className="rounded-large border border-line bg-panel p-3 break-words whitespace-pre-wrap">{text}</div>
      )}
      {text === '' && !isOver && (
        <p role="status" className="text-soft">
          <Trans>The provider thinks…</Trans>
        </p>
      )}
      {error !== null && <Failure error={new Error(error)} />}
      {head?.attempts && (
        <p className="font-mono text-small break-all text-soft">
          <Trans>attempts: {head.attempts}</Trans>
        </p>
      )}
    </section>
  );
}
