import { DropdownMenu } from 'radix-ui';
import type { ReactNode } from 'react';

const item =
  'flex h-8 cursor-pointer items-center gap-2 rounded-small px-2 outline-none select-none data-[highlighted]:bg-sunken data-[disabled]:opacity-50';

/** Menu below a button. It is not modal: the page behind stays reachable, as it says it is. */
export function Menu({
  trigger,
  side,
  children,
}: {
  trigger: ReactNode;
  side?: 'top' | 'bottom';
  children: ReactNode;
}) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="end"
          side={side ?? 'bottom'}
          sideOffset={4}
          collisionPadding={8}
          className="z-50 min-w-48 rounded-base border border-line bg-panel p-1 shadow-raise"
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

interface ItemProps {
  onSelect: () => void;
  isDangerous?: boolean;
  isDisabled?: boolean;
  children: ReactNode;
}

export function MenuItem({ onSelect, isDangerous = false, isDisabled = false, children }: ItemProps) {
  return (
    <DropdownMenu.Item disabled={isDisabled} onSelect={onSelect} className={`${item} ${isDangerous ? 'text-bad' : ''}`}>
      {children}
    </DropdownMenu.Item>
  );
}

export function MenuLine() {
  return <DropdownMenu.Separator className="mx-1 my-1 h-px bg-line" />;
}

interface ChoiceProps<T extends string> {
  label: ReactNode;
  value: T;
  options: { value: T; label: ReactNode; lang?: string }[];
  onChoose: (value: T) => void;
}

/** Group of which one is chosen. */
export function MenuChoice<T extends string>({ label, value, options, onChoose }: ChoiceProps<T>) {
  return (
    <DropdownMenu.RadioGroup value={value} onValueChange={(next) => onChoose(next as T)}>
      <DropdownMenu.Label className="px-2 pt-1.5 pb-1 text-small text-soft">{label}</DropdownMenu.Label>
      {options.map((option) => (
        <DropdownMenu.RadioItem key={option.value} value={option.value} lang={option.lang} className={item}>
          <span className="flex w-3 justify-center">
            <DropdownMenu.ItemIndicator className="size-1.5 rounded-full bg-ink" />
          </span>
          {option.label}
        </DropdownMenu.RadioItem>
      ))}
    </DropdownMenu.RadioGroup>
  );
}
