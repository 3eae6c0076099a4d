// What everything that draws the inside of a panel is given.

import type { Panel } from './dashboard';
import type { PanelData, Scene } from './query';

export interface DrawProps {
  panel: Panel;
  data: PanelData;
  scene: Scene;
  width: number;
  height: number;
}
