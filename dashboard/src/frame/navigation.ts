import type { MessageDescriptor } from '@lingui/core';
import type { LucideIcon } from 'lucide-react';

/** Page in the navigation. */
export interface NavigationEntry {
  to: string;
  label: MessageDescriptor;
  sign: LucideIcon;
  /** Permission without which the page is not offered. The server refuses it all the same. */
  permission: string | null;
  /** Letter that opens it after `g`. */
  key: string;
}
