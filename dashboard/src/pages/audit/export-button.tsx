import { Trans, useLingui } from '@lingui/react/macro';
import { Download } from 'lucide-react';
import { useState } from 'react';
import { wholeAudit, type AuditFilter } from '../../api/audit.ts';
import { Button } from '../../parts/button.tsx';
import { saveFile } from '../../parts/csv.ts';
import { toast } from '../../parts/toast.tsx';
import { sentence } from '../../words/errors.ts';

/** Beyond this a browser is no place to keep them. */
const MAX_EVENTS = 50_000;

/** Saves every event that the filter finds, one JSON object on each line. */
export function ExportButton({ filter }: { filter: AuditFilter }) {
  const { t, i18n } = useLingui();
  const [count, setCount] = useState<number | null>(null);

  async function save() {
    const lines: string[] = [];
    setCount(0);
    try {
      for await (const events of wholeAudit(filter)) {
        lines.push(...events.map((event) => JSON.stringify(event)));
        setCount(lines.length);
        if (lines.length >= MAX_EVENTS) {
          toast(t`The newest ${lines.length} events are saved; narrow the days for the others`, 'bad');
          break;
        }
      }
      saveFile('audit.jsonl', 'application/jsonl', lines.map((line) => `${line}\n`).join(''));
    } catch (error) {
      toast(sentence(i18n, error), 'bad');
    } finally {
      setCount(null);
    }
  }

  return (
    <Button isBusy={count !== null} onClick={() => void save()}>
      <Download size={14} aria-hidden />
      {count === null ? <Trans>Export</Trans> : <Trans>{count} read</Trans>}
    </Button>
  );
}
