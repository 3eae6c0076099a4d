// What a dashboard says in words.

import { renderTextPanelMarkdown, textUtil } from '@grafana/data';

import { expand } from './variables';
import type { DrawProps } from './draw';

export function Text({ panel, scene, width, height }: DrawProps) {
  const { mode = 'markdown', content = '' } = panel.options ?? {};
  const text = expand(content, scene.chosen);
  if (mode === 'code') {
    return <pre style={{ width, height, margin: 0 }}>{text}</pre>;
  }
  const html = mode === 'html' ? textUtil.sanitizeTextPanelContent(text) : renderTextPanelMarkdown(text);
  return (
    <div
      className="markdown-html"
      style={{ width, height, overflow: 'auto' }}
      dangerouslySetInnerHTML={{ __html: html }}
    />
  );
}
