import { useState, type ReactNode, type SubmitEvent } from 'react';
import { Button } from '../../parts/button.tsx';
import { Failure } from '../../parts/states.tsx';
import { toast } from '../../parts/toast.tsx';

interface Props {
  title: ReactNode;
  note?: ReactNode;
  children: ReactNode;
}

/** Part of the settings, with its heading. */
export function Section({ title, note, children }: Props) {
  return (
    <section className="grid gap-x-8 gap-y-3 border-t border-line pt-5 first:border-t-0 first:pt-0 md:grid-cols-[16rem_1fr]">
      <div>
        <h2 className="font-semibold">{title}</h2>
        {note !== undefined && <p className="text-soft">{note}</p>}
      </div>
      <div className="min-w-0">{children}</div>
    </section>
  );
}

interface FormProps {
  action: ReactNode;
  /** Said when it is done. */
  done: string;
  run: (form: FormData) => Promise<unknown>;
  children: ReactNode;
}

/** Fields of a part that are sent together. */
export function SectionForm({ action, done, run, children }: FormProps) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  async function onSubmit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    if (isBusy) return;
    setBusy(true);
    setError(null);
    try {
      await run(new FormData(form));
      form.reset();
      toast(done);
    } catch (reason) {
      setError(reason);
    }
    setBusy(false);
  }

  return (
    <form onSubmit={(event) => void onSubmit(event)} className="flex max-w-96 flex-col gap-3">
      {children}
      <Failure error={error} />
      <Button type="submit" className="self-start" isBusy={isBusy}>
        {action}
      </Button>
    </form>
  );
}
